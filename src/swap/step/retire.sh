# Stops the old slots and keeps them down, if nginx sends them nothing any more. Prints the slot and the exit code of each.
# Words: the old slots' containers. Names: at and old (nginx, and a list of the old slots, as from_nginx takes them), since
# (centiseconds since its old workers were gone), drained ('' where some were left), grace (seconds until SIGKILL), fate (keep
# or remove), nginx (its container), seconds (for its reload), new (a list: a new slot's container, its address).
is_unused() {
  from_nginx "$1" "$at" "$since" | {
    read -r open _ fresh
    [ -n "$drained" ] || open=0   # old workers have what open connections there are
    [ "$fresh" -eq 0 ] && [ "$open" -eq 0 ]
  } || fail "nginx still sends requests to ${1##*:}: it was left running"
}
each "$old" is_unused
ids=''
add() { ids="$ids $1"; }
each "$new" add
begin retire
if [ "$fate" = remove ]; then   # the second time they may be gone
  left=''
  for id in "$@"; do [ -z "$(docker ps -aq --filter "id=$id")" ] || left="$left $id"; done
  # shellcheck disable=SC2086 # ids
  set -- $left
fi
[ $# -eq 0 ] || out=$(stop_for_good "$grace" "$@" 2>&1) || fail "$out"
seen='{{index .Config.Labels "com.docker.compose.service"}} {{.State.ExitCode}}'
seen="$seen{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}"
# shellcheck disable=SC2086 # ids
now=$(docker inspect -f "$seen" "$@" $ids) || fail "what was stopped can't be inspected"
printf '%s\n' "$now" | head -n $# | while read -r slot code _; do say stopped "$code" "$slot"; done
[ "$fate" = keep ] || [ $# -eq 0 ] || out=$(docker rm "$@" 2>&1) || fail "$out"
# One that crashed meanwhile may have come back with an address that the old slot left; nginx must look it up again.
number=$# moved=''
has_moved() {
  number=$((number + 1))
  case " $(printf '%s\n' "$now" | sed -n "${number}p") " in *" $2 "*) ;; *) moved=1 ;; esac
}
each "$new" has_moved
if [ -n "$moved" ]; then
  clock; last=$((uptime + seconds))
  until why=$(reload "$nginx" "$seconds" 2>&1); do
    clock; [ "$uptime" -lt "$last" ] || fail "the new slot was restarted, and nginx does not find it: $why"
    sleep 0.2
  done
fi
journal retire end
