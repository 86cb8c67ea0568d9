# Undoes guard. Names: file, nginx (its container), seconds.
[ -e "$file" ] || [ -L "$file" ] || exit 0
rm -f "$file" || fail "$file can't be removed"
on_host "$nginx" || [ "$(docker inspect -f '{{.State.Running}}' "$nginx" 2>/dev/null)" = true ] || exit 0
reload "$nginx" "$seconds" >/dev/null 2>&1   # where nginx refuses, it forgets the guard with its next reload
exit 0
