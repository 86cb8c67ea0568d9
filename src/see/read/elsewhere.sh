# nginx outside of the compose project. Names: wanted (a container that shall be it, or '').
if [ -n "$wanted" ]; then
  ids=$(docker ps -q --no-trunc --filter "name=^/?$wanted\$" 2>/dev/null)
else
  ids=$(docker ps --no-trunc --format '{{.ID}} {{.Names}} {{.Image}}' 2>/dev/null | awk 'tolower($0) ~ /nginx|openresty/ { print $1 }')
fi
# shellcheck disable=SC2086 # ids are hexadecimal
[ -z "$ids" ] || say containers 0 "$(docker inspect $ids 2>/dev/null)"
