# Undoes start and hook: removes the new containers, stops those that were there before, then gives every reference the image that
# it had. Words: stop timeout in seconds, how many slots, slot and earlier container (or `-`) pairs, how many services, those
# that start had to start, then reference and image pairs (image `-`: there was none).
timeout=$1 count=$2; shift 2
engine 30
errors=''
note() { errors="$errors$out
"; }
# where the start was refused, what runs there is somebody else's, and may serve
grep -qs '"step":"start","state":"begin"' "$state/journal.jsonl" || { shift $((2 * count)); count=0; }
while [ "$count" -gt 0 ]; do
  for id in $(containers "$1"); do
    out=$(stop_for_good "$timeout" "$id" 2>&1) || note
    [ "$id" = "$2" ] || out=$(docker rm -f "$id" 2>&1) || note
  done
  shift 2; count=$((count - 1))
done
count=$1; shift
while [ "$count" -gt 0 ]; do
  for id in $(containers "$1"); do out=$(docker stop "$id" 2>&1) || note; done
  shift; count=$((count - 1))
done
while [ $# -gt 0 ]; do
  if [ "$2" != - ]; then
    out=$(docker tag "$2" "$1" 2>&1) || note
  elif docker image inspect "$1" >/dev/null 2>&1; then
    # what ran once before the slot, such as a migration, keeps its image, and with it this name of ours
    out=$(docker rmi "$1" 2>&1) || case $out in *'is using its referenced image'*) ;; *) note ;; esac
  fi
  shift 2
done
[ -z "$errors" ] || fail "$errors"
