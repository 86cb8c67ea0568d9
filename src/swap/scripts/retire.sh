# Stops the old slots and keeps them down, if nginx sends them nothing any more. Words: nginx as from_nginx
# takes it, centiseconds since its old workers were gone, `drained` or '' where some were left, the old slots in one word as
# from_nginx takes them, stop timeout in seconds, keep or remove, nginx's container, seconds, how many new slots,
# container and address pairs, the old slots' containers. Prints each of these's slot and exit code.
for each in $4; do
  from_nginx "$each" "$1" "$2" | {
    read -r open _ new
    [ -n "$3" ] || open=0   # old workers have what open connections there are
    [ "$new" -eq 0 ] && [ "$open" -eq 0 ]
  } || fail "nginx still sends requests to ${each##*:}: it was left running"
done
shift 4
timeout=$1 fate=$2 nginx=$3 seconds=$4 count=$5; shift 5
new='' addresses=''
while [ "$count" -gt 0 ]; do new="$new $1" addresses="$addresses $2"; shift 2; count=$((count - 1)); done
journal retire begin || fail "the journal can't be written"
if [ "$fate" = remove ]; then   # the second time they may be gone
  left=''
  for id in "$@"; do [ -z "$(docker ps -aq --filter "id=$id")" ] || left="$left $id"; done
  # shellcheck disable=SC2086 # ids
  set -- $left
fi
[ $# -eq 0 ] || out=$(stop_for_good "$timeout" "$@" 2>&1) || fail "$out"
seen='{{index .Config.Labels "com.docker.compose.service"}} {{.State.ExitCode}}'
seen="$seen{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}"
# shellcheck disable=SC2086 # ids
now=$(docker inspect -f "$seen" "$@" $new) || fail "what was stopped can't be inspected"
printf '%s\n' "$now" | head -n $# | while read -r slot code _; do say stopped "$code" "$slot"; done
[ "$fate" = keep ] || [ $# -eq 0 ] || out=$(docker rm "$@" 2>&1) || fail "$out"
# One that crashed meanwhile may have come back with an address that the old slot left; nginx must look it up again.
count=$#
# shellcheck disable=SC2086 # addresses
set -- $addresses
moved=''
printf '%s\n' "$now" | tail -n "+$((count + 1))" | while read -r line; do
  case " $line " in *" $1 "*) shift ;; *) exit 1 ;; esac
done || moved=1
if [ -n "$moved" ]; then
  clock; last=$((uptime + seconds))
  until why=$(reload "$nginx" "$seconds" 2>&1); do
    clock; [ "$uptime" -lt "$last" ] || fail "the new slot was restarted, and nginx does not find it: $why"
    sleep 0.2
  done
fi
journal retire end
