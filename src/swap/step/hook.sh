# Runs the release's own command in the new image. stdin: the plan.
# Words: the command. Names: compose (v2 or v1), directory (the project's), tags (a list: reference, image), seconds, name (for
# the container), place (the slot's project, as `within` takes it), slot (its service).
stage
begin hook
cd "$directory" || fail "$directory can't be entered"
each "$tags" tag
program=$1; shift
within "$place"
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
