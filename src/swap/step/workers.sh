# Moves what runs the image and gets no requests to the image that its reference names now: each is stopped before it is started anew,
# and must then stay. Names: compose (v2 or v1), directory (the project's), back (`back` to undo, or ''), tags (a list: reference,
# image). Words: of each its service, seconds until SIGKILL, how many containers, and named, missing and by as `anew` has them.

# stays SERVICE: fails where a container of $ids ends within 3 s, or does not get healthy within 60 s by its own healthcheck
stays() {
  clock; from=$uptime
  while :; do
    # shellcheck disable=SC2086 # ids are hexadecimal
    seen=$(docker inspect -f '{{.State.Status}} {{.RestartCount}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' $ids 2>&1)
    bad=$(printf '%s\n' "$seen" | grep -vE '^running 0 (healthy|starting)?$')
    if [ -n "$bad" ]; then
      # shellcheck disable=SC2086
      set -- "$1" $ids
      fail "$1 does not stay up on the new version ($bad): $(docker logs --tail 5 "$2" 2>&1)"
    fi
    clock
    case $seen in
      *starting*) [ $((uptime - from)) -lt 60 ] || fail "$1 was not healthy within 60 s, by its own healthcheck" ;;
      *) [ $((uptime - from)) -lt 3 ] || return 0 ;;
    esac
    sleep 0.2
  done
}

if [ -n "$back" ]; then
  journal workers back 2>/dev/null   # a full disk must not keep the old version away
  engine 30
else
  begin workers
fi
cd "$directory" || fail "$directory can't be entered"
each "$tags" tag
errors=''
while [ $# -gt 0 ]; do
  services=$1 grace=$2 named=$4 missing=$5 by=$6 ids=''
  scale=''
  [ "$3" -le 1 ] || scale="--scale $1=$3"
  shift 6
  # one of the two versions at a time
  for id in $(containers "$services"); do
    docker stop -t "$grace" "$id" >/dev/null 2>&1 || docker kill "$id" >/dev/null 2>&1
  done
  if [ -z "$back" ]; then
    anew
    stays "$services"
    # shellcheck disable=SC2086 # ids are hexadecimal
    say containers 0 "$(docker inspect $ids)"
  else
    # each is tried, whatever becomes of the others
    out=$( (anew) 2>&1) || errors="$errors$out
"
  fi
done
[ -z "$errors" ] || fail "$errors"
[ -n "$back" ] || journal workers end
