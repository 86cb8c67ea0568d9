# make WITH WITHOUT SERVICE…: a container for each service that has none, as `compose up` by hand would make it. Compose
# labels a container with a hash of its service's settings and recreates one whose hash is another; `--no-deps` takes those out
# of `depends_on` that are not named. So they are named, in WITH, and stay as they are; those of WITHOUT have no container
# and get none. What can't be made so is made by `bring`, with a hash that compose will not know again.
make() {
  with=$1 without=$2; shift 2
  # shellcheck disable=SC2086 # options, and names of services
  made=$(compose up --no-start --no-deps --no-recreate --no-build --pull never $with "$@" 2>&1); status=$?
  for other in $without; do
    for id in $(containers "$other"); do docker rm "$id" >/dev/null 2>&1; done   # one that runs stays
  done
  [ $status -eq 0 ] || say inexact 1 "$*: $made"
  return $status
}

# bring SERVICE…: what it takes to have them run, and nothing but them; what is there already is not made anew.
bring() { compose up -d --no-deps --no-recreate --no-build "$@" 2>&1; }
