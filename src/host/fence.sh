# A step of the run that holds the lock of this host. Words: the state directory, the id of the run, seconds that it may
# take, bytes on its stdin; all are shifted away.
set -u
state=$1 holder=$2 allowed=$3 size=$4; shift 4

# whole: all of stdin is here before anything is taken, so a client that stands still in the middle holds up nobody
whole() {
  [ "$size" -gt 0 ] || return 0
  spool=$(mktemp /dev/shm/cutover.XXXXXXXXXX 2>/dev/null) ||
    { mkdir -p "$state" && spool=$(mktemp "$state/input.XXXXXXXXXX"); } || fail "$state can't be written"
  exec 5< "$spool" 6> "$spool" 7< "$spool"; rm -f "$spool"
  timeout 600 head -c "$size" >&6 && [ "$(wc -c <&5)" -eq "$size" ] || fail "the step's input arrived incomplete"
  exec 0<&7 5<&- 6>&- 7<&-
}

# fence: from here on this script is alone on the host, and its run holds the lock
fence() {
  root=${state%/*} tries=25
  [ -d "$state" ] || mkdir -p "$state" || fail "the state directory $state can't be made"
  true >> "$root/busy" || fail "$root/busy can't be written"
  while :; do
    exec 8>> "$root/busy"
    alone "$root"
    held=''
    { IFS= read -r held < "$root/lock"; } 2>/dev/null
    [ "$held" != "$holder" ] || break
    # a run whose lock ended with a channel takes it again at once
    exec 8>&-
    [ "$held" = "free $holder" ] && [ $tries -gt 0 ] || overtaken
    sleep 0.2; tries=$((tries - 1))
  done
  process $$; clock
  printf '%s %s %s\n' $$ "$born" $((uptime + allowed)) > "$root/busy"
}

# overtaken: ends with a status of its own and says who holds the lock now
overtaken() {
  case $held in '' | "free $holder") fail "this run no longer holds the lock of this host" ;; esac
  sed -n 2p "$root/lock" >&2
  exit 76
}
