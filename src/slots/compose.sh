# The compose project: its containers and images. $compose is v2 or v1.

# within PROJECT|FILES|PROFILES: the project that is meant from here on; where it says no files or profiles, as the script began
first_files=${COMPOSE_FILE:-} first_profiles=${COMPOSE_PROFILES:-}
within() {
  COMPOSE_PROJECT_NAME=${1%%|*} COMPOSE_PROFILES=${1##*|} COMPOSE_FILE=${1#*|}
  COMPOSE_FILE=${COMPOSE_FILE%|*} COMPOSE_PROFILES=${COMPOSE_PROFILES:-$first_profiles}
  COMPOSE_FILE=${COMPOSE_FILE:-$first_files}
  export COMPOSE_PROJECT_NAME COMPOSE_FILE COMPOSE_PROFILES
  [ -n "$COMPOSE_FILE" ] || unset COMPOSE_FILE
  [ -n "$COMPOSE_PROFILES" ] || unset COMPOSE_PROFILES
}

# The slots' and services' containers by exact label, stopped ones too, never a one-off `run`.
containers() {
  docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
    --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False
}
compose() { if [ "$compose" = v2 ]; then docker compose "$@"; else docker-compose "$@"; fi; }

# stop_for_good SECONDS CONTAINER…: stops them, and no restart policy brings them back. The engine can't change the policy
# of one that crashes over and over in the moment between two runs: then it is stopped first.
stop_for_good() {
  grace=$1; shift
  docker update --restart=no "$@" >/dev/null 2>&1 && { docker stop -t "$grace" "$@"; return; }
  docker stop -t "$grace" "$@" && docker update --restart=no "$@"
}

# engine SECONDS: waits until dockerd answers; it may be restarting
engine() {
  clock; end=$((uptime + $1))
  until docker version >/dev/null 2>&1; do
    clock; [ "$uptime" -lt "$end" ] || fail "dockerd does not answer"
    sleep 0.2
  done
}

# tag REFERENCE IMAGE: the reference names the image from now on
tag() { out=$(docker tag "$2" "$1" 2>&1) || fail "the image can't be tagged $1: $out"; }

scale=''

# make WITH WITHOUT SERVICE…: a container for each service that has none, as `compose up` by hand would make it. Compose
# labels a container with a hash of its service's settings and recreates one whose hash is another; `--no-deps` takes those out
# of `depends_on` that are not named. So they are named, in WITH, and stay as they are; those of WITHOUT have no container
# and get none. What can't be made so is made by `bring`, with a hash that compose will not know again.
make() {
  with=$1 without=$2; shift 2
  # shellcheck disable=SC2086 # options, and names of services
  made=$(compose up --no-start --no-deps --no-recreate --no-build --pull never $scale $with "$@" 2>&1); status=$?
  for other in $without; do
    for id in $(containers "$other"); do docker rm "$id" >/dev/null 2>&1; done   # one that runs stays
  done
  [ $status -eq 0 ] || say inexact 1 "$*: $made"
  return $status
}

# bring SERVICE…: what it takes to have them run, and nothing but them; what is there already is not made anew.
# shellcheck disable=SC2086 # an option
bring() { compose up -d --no-deps --no-recreate --no-build $scale "$@" 2>&1; }

# anew: new containers for each of $services, in the project that is meant: added to $ids. $named and $missing are for `make`, $by says
# who starts what was made; $scale, where it is set, how many there are.
anew() {
  # shellcheck disable=SC2086 # names of services
  set -- $services
  if [ -n "$named" ] || [ "$compose" = v1 ]; then   # 1.29 can't recreate under newer engines
    for slot in "$@"; do
      for id in $(containers "$slot"); do
        { docker rm "$id" || { docker stop "$id"; docker rm -f "$id"; }; } >/dev/null 2>&1
      done
    done
  fi
  if [ -z "$named" ]; then
    # shellcheck disable=SC2086 # an option
    out=$(compose up -d --no-deps --force-recreate --no-build $scale "$@" 2>&1) || fail "$out"
  elif ! make "$named" "$missing" "$@" || [ "$by" = compose ]; then
    out=$(bring "$@") || fail "$out"
    by=compose
  fi
  new=''
  for slot in "$@"; do new="$new $(containers "$slot")"; done
  if [ -n "$named" ] && [ "$by" = docker ]; then
    # shellcheck disable=SC2086 # ids are hexadecimal
    out=$(docker start $new 2>&1) || fail "$out"
  fi
  ids="$ids $new"
}
