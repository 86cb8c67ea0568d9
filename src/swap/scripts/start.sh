# Starts the idle slots on the new image. stdin: the plan.
# Words: nginx's file, its digest when it was read, compose (v2 or v1), the project's directory, how many tags, reference
# and image pairs, how many services, those the slots need, how many kept containers, container and restart policy pairs,
# the slots to start anew.
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
  out=$(compose up -d --no-deps --no-recreate --no-build "$1" 2>&1) || fail "$out"
  shift; count=$((count - 1))
done
ids='' count=$1; shift
while [ "$count" -gt 0 ]; do
  out=$(docker update --restart="$2" "$1" 2>&1 && docker start "$1" 2>&1) || fail "$out"
  ids="$ids $1"; shift 2; count=$((count - 1))
done
if [ $# -gt 0 ]; then
  if [ "$compose" = v1 ]; then   # it can't recreate under newer engines; what was removed it creates anew
    for slot in "$@"; do for id in $(containers "$slot"); do docker rm -f "$id" >/dev/null 2>&1; done; done
  fi
  out=$(compose up -d --no-deps --force-recreate --no-build "$@" 2>&1) || fail "$out"
  for slot in "$@"; do ids="$ids $(containers "$slot")"; done
fi
# shellcheck disable=SC2086 # ids are hexadecimal
say containers 0 "$(docker inspect $ids)"
journal start end
