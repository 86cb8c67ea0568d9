# Starts nginx where it was not running. Names: compose (v2 or v1), directory (the project's), service (nginx's), seconds until
# it must have a worker, named and missing (for `make`).
cd "$directory" || fail "$directory can't be entered"
begin nginx-up
id=$(containers "$service")
if [ -n "$id" ] && [ "$(docker inspect -f '{{.State.Status}}' "$id")" = restarting ]; then
  # no slot ran, so nginx could not start; the engine waits up to a minute before it tries again
  out=$(docker restart "$id" 2>&1) || fail "$out"
else
  [ -n "$id" ] || [ -z "$named" ] || make "$named" "$missing" "$service"
  out=$(bring "$service") || fail "$out"
  id=$(containers "$service")
fi
[ -n "$id" ] || fail "compose started no container for $service"
clock; end=$((uptime + seconds))
until workers "$id" 2>/dev/null | grep -q serving; do
  clock
  [ "$(docker inspect -f '{{.State.Status}}' "$id")" != exited ] && [ "$uptime" -lt "$end" ] ||
    fail "nginx does not stay up: $(docker logs --tail 5 "$id" 2>&1)"
  sleep 0.1
done
say containers 0 "$(docker inspect "$id")"
journal nginx-up end
