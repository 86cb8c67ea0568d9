# nginx's configuration as files and as its container sees it, what the slots received, and images.
# Words: the paths mounted into nginx, `--`, image references. Names: nginx (its container, or ''), slots (a list of their
# processes).
while [ "$1" != -- ]; do path "$1"; shift; done
shift
each "$slots" slot
# Each of these takes 0.1 s, so at the same time; the dump is printed after the others.
{
  [ -z "$nginx" ] || say nginx-version 0 "$(timeout 30 docker exec "$nginx" nginx -v 2>&1)"
  [ $# -eq 0 ] || say images 0 "$(docker image inspect "$@" 2>/dev/null)"
} &
if [ -n "$nginx" ]; then
  # the files on stdout alone: docker exec mixes the two streams as it likes
  dump=$(timeout 30 docker exec "$nginx" nginx -T 2>/dev/null); status=$?
  wait
  if [ $status -eq 0 ]; then
    say nginx-dump 0 "$dump"
  else
    say nginx-dump 1 "$(timeout 30 docker exec "$nginx" nginx -t 2>&1)"
  fi
fi
wait
