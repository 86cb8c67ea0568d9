# Prints a container's log until it ends or nobody listens any more. Words: those of `docker logs`.
exec 3<&0
docker logs "$@" 2>&1 &
log=$!
{ cat <&3 >/dev/null; kill "$log" 2>/dev/null; } &
wait "$log"
status=$?
kill "$!" 2>/dev/null
exit "$status"
