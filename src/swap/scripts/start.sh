# Starts the idle slots on the new image. stdin: the plan.
# Words: nginx, idle slots that run all the same in one word, both as from_nginx takes them,
# nginx's file, its digest when it was read, compose (v2 or v1), the project's directory, how many tags, reference
# and image pairs, how many services, those the slots need with two words for `make` each, how many that must be healthy or
# complete first, each with which of it, how many kept containers, container and restart policy pairs, two words for `make`,
# who starts what was made (docker or compose), the slots to start anew.
for each in $2; do
  case $(from_nginx "$each" "$1" 100) in
    '0 '*' 0') ;;
    *) fail "${each##*:} has connections from nginx, so it serves somebody: it is not started anew" ;;
  esac
done
shift 2
[ "$(digest_of "$1")" = "$2" ] || fail "$1 was changed by somebody else meanwhile"   # which slot is idle, then?
shift 2
stage
journal start begin || fail "the journal can't be written"
compose=$1 count=$3; cd "$2" || fail "$2 can't be entered"; shift 3
tagging=''
while [ "$count" -gt 0 ]; do   # 25 ms each, so all at once
  { out=$(docker tag "$2" "$1" 2>&1) || fail "the image can't be tagged $1: $out"; } &
  tagging="$tagging $!"
  shift 2; count=$((count - 1))
done
for each in $tagging; do wait "$each" || exit 1; done
count=$1; shift
while [ "$count" -gt 0 ]; do
  [ -z "$2" ] || make "$2" "$3" "$1"
  out=$(bring "$1") || fail "$out"
  shift 3; count=$((count - 1))
done
count=$1; shift
while [ "$count" -gt 0 ]; do
  first "$1" "$2"
  shift 2; count=$((count - 1))
done
ids='' count=$1; shift
while [ "$count" -gt 0 ]; do
  out=$(docker update --restart="$2" "$1" 2>&1 && docker start "$1" 2>&1) || fail "$out"
  ids="$ids $1"; shift 2; count=$((count - 1))
done
with=$1 without=$2 by=$3; shift 3
if [ $# -gt 0 ]; then
  if [ -n "$with" ] || [ "$compose" = v1 ]; then   # 1.29 can't recreate under newer engines
    for slot in "$@"; do
      for id in $(containers "$slot"); do
        { docker rm "$id" || { docker stop "$id"; docker rm -f "$id"; }; } >/dev/null 2>&1
      done
    done
  fi
  if [ -z "$with" ]; then
    out=$(compose up -d --no-deps --force-recreate --no-build "$@" 2>&1) || fail "$out"
  elif ! make "$with" "$without" "$@" || [ "$by" = compose ]; then
    out=$(bring "$@") || fail "$out"
    by=compose
  fi
  new=''
  for slot in "$@"; do new="$new $(containers "$slot")"; done
  if [ -n "$with" ] && [ "$by" = docker ]; then
    # shellcheck disable=SC2086 # ids are hexadecimal
    out=$(docker start $new 2>&1) || fail "$out"
  fi
  ids="$ids $new"
fi
# shellcheck disable=SC2086 # ids are hexadecimal
say containers 0 "$(docker inspect $ids)"
journal start end
