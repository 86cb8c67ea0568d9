# shellcheck shell=bash
# Names, locks and small helpers that the other parts share.

BRIDGE=cutover-lab0
SUBNET=198.18.0.0/24
GATEWAY=198.18.0.1
TRUSTED=198.18.0.0/15
REGISTRY=$GATEWAY:15000
AUTH_REGISTRY=$GATEWAY:15001
AUTH_USER=lab
AUTH_PASSWORD=lab-password
RUN=$CUTOVER_LAB/run
DOCKER_SOCKET=$RUN/docker.sock

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

docker() { DOCKER_BUILDKIT=0 DOCKER_CONFIG=$CUTOVER_LAB/config DOCKER_CONTEXT='' DOCKER_HOST=unix://$DOCKER_SOCKET \
  command docker "$@"; }

# locked NAME CMD...: one at a time. The lock's descriptor must not leak into a daemon: those start with 9>&-.
locked() {
  mkdir -p "$RUN"
  local name=$1; shift
  ( flock 9; "$@" ) 9>"$RUN/$name.lock"
}

# wait_for SECONDS WHAT CMD...: poll until CMD succeeds.
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || { say "gave up waiting for $what"; return 1; }
    sleep 0.05
  done
}

# alive PIDFILE COMMAND: the process is there and is what we started, not a later one with its number.
alive() {
  local pid; pid=$(cat "$1" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ]
}

stop_pid() {
  alive "$1" "$2" || { rm -f "$1"; return 0; }
  local pid; pid=$(cat "$1")
  kill "$pid"
  for _ in $(seq 300); do [ -d "/proc/$pid" ] || break; sleep 0.05; done
  [ ! -d "/proc/$pid" ] || kill -9 "$pid" || true
  rm -f "$1"
}

key_of() { { printf '%s\n' "$@"; cat; } | sha256sum | cut -c1-12; }
tree_of() { (cd "$1" && find . -type f | LC_ALL=C sort | xargs sha256sum); }
