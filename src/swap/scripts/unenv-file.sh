# Undoes env-file. Words: the file.
rm -f "$state/env/next" "$state/env/before.next" "$1.cutover-next"
if [ -e "$state/env/before" ]; then
  # a full disk has room for a rename
  { cp -p "$state/env/before" "$1.cutover-next" && mv -f "$1.cutover-next" "$1"; } 2>/dev/null ||
    { rm -f "$1.cutover-next" && mv -f "$state/env/before" "$1"; } || fail "$1 can't be put back"
elif [ -e "$state/env/absent" ]; then
  rm -f "$1" || fail "$1 can't be removed"
else
  exit 0   # it never got that far
fi
rm -f "$state/env/before" "$state/env/absent"
