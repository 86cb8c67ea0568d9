# Stops the old slots and keeps them down. Words: stop timeout in seconds, nginx's container, seconds, how many new slots,
# container and address pairs, the old slots' containers. docker inspect of each of these afterwards.
timeout=$1 nginx=$2 seconds=$3 count=$4; shift 4
moved=''
while [ "$count" -gt 0 ]; do new="${new:-} $1 $2"; shift 2; count=$((count - 1)); done
journal retire begin || fail "the journal can't be written"
out=$(stop_for_good "$timeout" "$@" 2>&1) || fail "$out"
say containers 0 "$(docker inspect "$@")"
# One that crashed meanwhile may have come back with an address that the old slot left; nginx must look it up again.
# shellcheck disable=SC2086 # ids and addresses
set -- ${new:-}
while [ $# -gt 0 ]; do
  now=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$1") || fail "$now"
  case " $now" in *" $2 "*) ;; *) moved=1 ;; esac
  shift 2
done
if [ -n "$moved" ]; then
  last=$(($(date +%s) + seconds))
  until why=$(reload "$nginx" "$seconds" 2>&1); do
    [ "$(date +%s)" -lt "$last" ] || fail "the new slot was restarted, and nginx does not find it: $why"
    sleep 0.2
  done
fi
journal retire end
