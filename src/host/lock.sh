# Holds the lock of this host for as long as stdin brings a byte every SECONDS.
# Words: the state root, seconds, the holder (an id, then a line about who, from where, since when), seconds to wait for it.
# With the lock comes the stamp of what releases have written here.
LC_ALL=C; export LC_ALL
umask 077
mkdir -p "$1" || exit 1
cd "$1" || exit 1
exec 9>>lock || exit 1
if ! flock -n 9; then
  echo held; echo "$(sed -n 2p lock)"   # one line, even where the holder is just leaving
  [ "$4" -gt 0 ] && flock -w "$4" 9 || exit 0
fi
printf '%s\n' "$3" > lock || exit 1
# a step of a run that died may still be running
exec 8>>busy && flock -w 120 8 && exec 8>&-
echo locked; cat ./*/history.jsonl ./*/journal.jsonl 2>/dev/null | cksum
while [ -n "$(timeout "$2" head -c 1 9>&-)" ]; do :; done
: > lock
