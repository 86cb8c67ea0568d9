# Undoes guard. Words: the file, nginx's container, seconds.
[ -e "$1" ] || [ -L "$1" ] || exit 0
rm -f "$1" || fail "$1 can't be removed"
[ "$(docker inspect -f '{{.State.Running}}' "$2" 2>/dev/null)" = true ] || exit 0
reload "$2" "$3" >/dev/null 2>&1   # where nginx refuses, it forgets the guard with its next reload
exit 0
