# Freezes releases on this host, unless somebody has done so. Words: the state root, the line to leave there.
# Prints `frozen` and, where a run holds the lock, its line; or `already` and the line that is there.
umask 077
cd "${1%/*}" && { [ -d "$1" ] || mkdir "$1"; } && cd "$1" || exit 1
[ ! -g . ] || umask 007   # a group shares it: sshd's users are several people
true >> lock || exit 1
# whole, and of two who do this at once only one
printf '%s\n' "$2" > "frozen.$$" && { sync "frozen.$$" 2>/dev/null || sync; } || exit 1
ln "frozen.$$" frozen 2>/dev/null; made=$?
rm -f "frozen.$$"
if [ $made -ne 0 ]; then
  [ -e frozen ] || { echo "$1/frozen can't be written" >&2; exit 1; }
  echo already; head -n 1 frozen
  exit 0
fi
sync . 2>/dev/null || sync
echo frozen
# a run looks for the file once it has the lock: who has it now may not have seen it, and all others will
flock -n lock true || sed -n 2p lock
