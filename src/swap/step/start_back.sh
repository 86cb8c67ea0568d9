# Undoes start and hook: removes the new containers, stops those that were there before, then gives every reference the image that
# it had. Names: grace (seconds until SIGKILL), slots (a list: a slot's service, its
# earlier container or `-`, its project as `within` takes it), needs (a list of the
# services that start had to start), tags (a list: reference, image or `-` where there was none), stay (a list of slots, each with
# its project, that run again on what their references name then, since nginx could not be reloaded without them), compose
# (v2 or v1), directory (the project's).
engine 30
errors=''
note() { errors="$errors$out
"; }
home=$COMPOSE_PROJECT_NAME   # of what the slots need
remove_new() {
  within "$3"
  for id in $(containers "$1"); do
    out=$(stop_for_good "$grace" "$id" 2>&1) || note
    [ "$id" = "$2" ] || out=$(docker rm -f "$id" 2>&1) || note
  done
}
stop_need() { for id in $(containers "$1"); do out=$(docker stop "$id" 2>&1) || note; done; }
tag_back() {
  if [ "$2" != - ]; then
    out=$(docker tag "$2" "$1" 2>&1) || note
  elif docker image inspect "$1" >/dev/null 2>&1; then
    # what ran once before the slot, such as a migration, keeps its image, and with it this name of ours
    out=$(docker rmi "$1" 2>&1) || case $out in *'is using its referenced image'*) ;; *) note ;; esac
  fi
}
# where the start was refused, what runs there is somebody else's, and may serve
! grep -qs '"step":"start","state":"begin"' "$state/journal.jsonl" || each "$slots" remove_new
COMPOSE_PROJECT_NAME=$home
each "$needs" stop_need
each "$tags" tag_back
run_again() { within "$2|$3"; out=$(cd "$directory" && bring "$1") || note; }
each "$stay" run_again
[ -z "$errors" ] || fail "$errors"
