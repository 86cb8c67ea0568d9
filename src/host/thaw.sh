# Lets releases of this host go on, and prints what stood in their way. Words: the state root.
cd "$1" 2>/dev/null || exit 0
[ -e frozen ] || exit 0
found=$(head -n 1 frozen)
rm -f frozen && { sync . 2>/dev/null || sync; } || exit 1
printf '%s\n' "$found"
