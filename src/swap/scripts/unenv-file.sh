# Undoes env-file. Words: the file, version.
rm -f "$state/env/next" "$1.cutover-next"
[ -e "$state/env/$2" ] || exit 0   # it never got that far
if [ -e "$state/env/before" ]; then
  cp -p "$state/env/before" "$1.cutover-next" && mv -f "$1.cutover-next" "$1" || fail "$1 can't be put back"
else
  rm -f "$1" || fail "$1 can't be removed"
fi
rm -f "$state/env/$2" "$state/env/before"
