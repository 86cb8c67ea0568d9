# Undoes env-file. Names: file.
rm -f "$state/env/next" "$state/env/before.next"
if [ -e "$state/env/before" ]; then
  # a full disk has room for a name
  ln "$state/env/before" "$state/env/next" && place "$state/env/next" "$file" || mv -fT "$state/env/before" "$file" ||
    fail "$file can't be put back"
elif [ -e "$state/env/absent" ]; then
  rm -f "$file" || fail "$file can't be removed"
else
  exit 0   # it never got that far
fi
rm -f "$state/env/before" "$state/env/absent"
