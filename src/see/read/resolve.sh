# What names mean in nginx's container. Words: the container, names. Each line: a name and its addresses.
nginx=$1; shift
docker exec "$nginx" sh -c "$meaning"'
  for name in "$@"; do echo "$name" $(meaning "$name"); done' sh "$@" 2>/dev/null || true
