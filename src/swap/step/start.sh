# Starts the idle slots on the new image. stdin: the plan.
# Words: for each project of slots to start anew: which one (as `within` takes it), named and missing (for `make`), by (who starts what
# was made: docker or compose), the slots' services. Names: at and idle (nginx, and a list of idle slots that run all the same, as from_nginx takes
# them), files (a list of nginx's: how each is written, its digest when it was read, its path), compose (v2 or v1), directory (the project's), tags (a
# list: reference, image), needs (a list: a service that the slots need, and both words for its `make`), firsts (a list: what
# must come first, healthy or completed), kept (a list: a kept container, its restart policy).

# first SERVICE healthy: waits until it is; first SERVICE completed: runs it to its end on the image that its reference names
# now, and well. Each 600 s at most.
first() {
  if [ "$2" = completed ]; then
    [ "$compose" = v2 ] || for id in $(containers "$1"); do docker rm -f "$id" >/dev/null 2>&1; done   # as for slots
    out=$(compose up -d --no-deps --force-recreate --no-build "$1" 2>&1) || fail "$out"
    id=$(containers "$1" | head -n 1)
    code=$(timeout 600 docker wait "$id") || fail "$1, which the slot waits for, did not end within 600 s"
    [ "$code" = 0 ] || fail "$1, which must run well before the slot is started, ended with $code: $(docker logs --tail 20 "$id" 2>&1)"
    return
  fi
  tries=1200
  while :; do
    id=$(containers "$1" | head -n 1)
    seen=$(docker inspect -f '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}' "${id:-none}" 2>/dev/null)
    case $seen in
      'running healthy') return ;;
      'running none') fail "$1, which the slot waits for to be healthy, has no healthcheck" ;;
      *' unhealthy' | exited* | dead*) fail "$1, which the slot waits for to be healthy, is $seen" ;;
    esac
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "$1, which the slot waits for, was not healthy within 600 s: ${seen:-no container}"
    sleep 0.5
  done
}

is_idle() {
  case $(from_nginx "$1" "$at" 100) in '0 '*' 0') return ;; esac
  sleep 1.1   # what ended within a second may have been the last: of a slot that goes on running after a release
  case $(from_nginx "$1" "$at" 100) in
    '0 '*' 0') ;;
    *) fail "${1##*:} has connections from nginx, so it serves somebody: it is not started anew" ;;
  esac
}
tagging=''
tag_aside() { tag "$1" "$2" & tagging="$tagging $!"; }   # 25 ms each, so all at once
start_need() {
  [ -z "$2" ] || make "$2" "$3" "$1"
  out=$(bring "$1") || fail "$out"
}
ids=''
start_kept() {
  out=$(docker update --restart="$2" "$1" 2>&1 && docker start "$1" 2>&1) || fail "$out"
  ids="$ids $1"
}

each "$idle" is_idle
is_as_seen() { [ "$(have "$1" "$3")" = "$2" ] || fail "$3 was changed by somebody else meanwhile"; }   # which slot is idle, then?
each "$files" is_as_seen
stage
begin start
cd "$directory" || fail "$directory can't be entered"
each "$tags" tag_aside
for job in $tagging; do wait "$job" || exit 1; done
each "$needs" start_need
each "$firsts" first
each "$kept" start_kept
while [ $# -gt 0 ]; do
  within "$1"
  named=$2 missing=$3 by=$4 services=$5; shift 5
  anew
done
# shellcheck disable=SC2086 # ids are hexadecimal
say containers 0 "$(docker inspect $ids)"
journal start end
