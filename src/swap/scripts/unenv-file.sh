# Undoes env-file. Words: the file.
rm -f "$state/env/next" "$state/env/before.next"
if [ -e "$state/env/before" ]; then
  # a full disk has room for a name
  ln "$state/env/before" "$state/env/next" && place "$state/env/next" "$1" || mv -fT "$state/env/before" "$1" ||
    fail "$1 can't be put back"
elif [ -e "$state/env/absent" ]; then
  rm -f "$1" || fail "$1 can't be removed"
else
  exit 0   # it never got that far
fi
rm -f "$state/env/before" "$state/env/absent"
