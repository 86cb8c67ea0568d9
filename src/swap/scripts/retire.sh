# Stops the old slots and keeps them down. Words: stop timeout in seconds, containers.
# docker inspect of each afterwards.
timeout=$1; shift
journal retire begin || fail "the journal can't be written"
out=$(stop_for_good "$timeout" "$@" 2>&1) || fail "$out"
say containers 0 "$(docker inspect "$@")"
journal retire end
