# Runs the release's own command in the new image. stdin: the plan.
# Words: compose (v2 or v1), the project's directory, how many tags, reference and image pairs, seconds, a name for the
# container, the slot, the command.
stage
journal hook begin || fail "the journal can't be written"
compose=$1 count=$3; cd "$2" || fail "$2 can't be entered"; shift 3
while [ "$count" -gt 0 ]; do
  out=$(docker tag "$2" "$1" 2>&1) || fail "the image can't be tagged $1: $out"
  shift 2; count=$((count - 1))
done
seconds=$1 name=$2 slot=$3 program=$4; shift 4
docker rm -f "$name" >/dev/null 2>&1
clock; began=$uptime
if [ "$compose" = v2 ]; then
  timeout -k 2 "$seconds" docker compose run --rm -T --no-deps --name "$name" --entrypoint "$program" "$slot" "$@" 2>&1 </dev/null
else
  timeout -k 2 "$seconds" docker-compose run --rm -T --no-deps --name "$name" --entrypoint "$program" "$slot" "$@" 2>&1 </dev/null
fi
status=$?
clock
docker rm -f "$name" >/dev/null 2>&1
[ $((uptime - began)) -lt "$seconds" ] && [ $status -ne 124 ] || [ $status -eq 0 ] || fail "no end after $seconds s"
[ $status -eq 0 ] || fail "it ended with $status"
journal hook end
