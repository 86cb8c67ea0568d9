# What comes before the slots, as their `depends_on` says. It ends with the line of dashes, as prelude.sh does.

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
# ----
