# Holds the lock of this host for as long as stdin brings a byte every SECONDS.
# Words: the state root, seconds, the id of the run, a line about who it is, from where, since when, seconds to wait for it,
# `again` to go on where nobody took it since.
# Where a person has frozen the host (the file `frozen`), a run that has not had the lock yet gets it only once that is over.
# With the lock comes the stamp of what releases have written here, `-` where somebody else held it first.
LC_ALL=C; export LC_ALL
umask 077
seconds=$2 id=$3 about=$4 wait=$5 again=$6
mkdir -p "$1" || exit 1
[ ! -g "$1" ] || umask 007   # a group shares it: sshd's users are several people
cd "$1" || exit 1
true >> lock && true >> busy || exit 1
exec 9>>lock 8>>busy

# mine: nobody else has had the lock since this run did
mine() {
  holder=''
  IFS= read -r holder < lock
  case $holder in "$id" | "free $id") return 0 ;; esac
  [ -n "$again" ] || return 0
  echo overtaken; sed -n 2p lock
  exit 0
}

# take: the lock, or the end; who has it is said
take() {
  flock -n 9 && return
  late=1
  flock -w 3 9 && return   # the last run may be leaving just now
  mine
  echo held; echo "$(sed -n 2p lock)"   # one line, even where the holder is just leaving
  patient
  until flock -w 1 9; do mine; clock; [ "$uptime" -lt "$end" ] || exit 0; done
}

# patient: there is time left to wait
patient() {
  clock
  [ -n "$end" ] || end=$((uptime + wait))
  [ "$uptime" -lt "$end" ] || exit 0
}

late='' end='' said=''
take
while mine; [ "$holder" != "$id" ] && [ "$holder" != "free $id" ] && [ -e frozen ]; do
  flock -u 9; late=1
  [ -n "$said" ] || { echo frozen; echo "$(head -n 1 frozen 2>/dev/null)"; said=1; }
  patient
  sleep 1
  take
done
[ "$holder" = "$id" ] || printf '%s\n%s\n' "$id" "$about" > lock || exit 1
waiting() { late=1; echo step; }
alone .
exec 8>&-
echo locked
[ -n "$late" ] && echo - || cat ./*/history.jsonl ./*/journal.jsonl 2>/dev/null | cksum
while beat=$(timeout "$seconds" head -c 1 9>&-); status=$?; [ -n "$beat" ]; do :; done
# where the run ended (status 0: stdin did), nothing of it may go on; one that only stood still may, until somebody takes
# the lock
[ $status -ne 0 ] || printf 'free %s\n%s\n' "$id" "$about" > lock
