# What is on the host: engine, compose project, containers, disk, history, and what nginx says of itself where its
# container can be guessed: then also what is asked for next. Words: project directory, state directory, nginx's compose
# service, and images that a release would use.
dir=$1 state=$2 service=$3; shift 3
say user 0 "$(id -un) $(id -Gn)"
cd "$dir" 2>/dev/null || { say directory 1 "$dir"; exit 0; }
say directory 0 "$(pwd -P)"
# before all else, as the lock says it: where both are the same, no release came between
say stamp 0 "$(cat "${state%/*}"/*/history.jsonl "${state%/*}"/*/journal.jsonl 2>/dev/null | cksum)"
[ ! -e "${state%/*}/frozen" ] || say frozen 0 "$(head -n 1 "${state%/*}/frozen" 2>/dev/null)"
# what this user can't read or write of the state; where there is none yet, whether it could be made
root=${state%/*} closed=''
if [ -e "$root" ]; then
  for each in "$root" "$root/lock" "$root/busy" "$state" "$state/history.jsonl" "$state/journal.jsonl"; do
    [ ! -e "$each" ] || { [ -r "$each" ] && [ -w "$each" ]; } || { closed=$each; break; }
  done
elif [ ! -w . ]; then
  closed=$(pwd -P)
fi
[ -z "$closed" ] || say closed 1 "$(stat -c '%n belongs to %U, group %G, mode %a' "$closed")"
# Docker that only a login shell finds, and the engine of a user of their own (rootless Docker), where the system has none.
login_shell() { "${SHELL:-/bin/sh}" -lc "$1" 2>/dev/null </dev/null | tail -n 1; }
if ! command -v docker >/dev/null 2>&1; then
  found=$(login_shell 'command -v docker')
  for found in "$found" "$HOME/bin/docker" /usr/local/bin/docker /opt/docker/bin/docker /snap/bin/docker; do
    case $found in /*/docker) [ -x "$found" ] && { PATH=$PATH:${found%/docker}; export PATH; say path 0 "$PATH"; break; } ;; esac
  done
fi
if [ -z "${DOCKER_HOST:-}" ] && [ ! -S /var/run/docker.sock ] && command -v docker >/dev/null 2>&1; then
  engine=$(login_shell 'echo "$DOCKER_HOST"')
  own=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/docker.sock
  [ -n "$engine" ] || [ ! -S "$own" ] || engine=unix://$own
  case $engine in ?*:/*) DOCKER_HOST=$engine; export DOCKER_HOST; say docker-host 0 "$engine" ;; esac
fi
# What `docker` is, where it is not Docker's own in its usual place.
program=$(command -v docker 2>/dev/null)
real=$(readlink -f "${program:-/}")
case "$program $real" in
  /snap/* | */snap) say kind 0 snap ;;
  */podman*) say kind 0 podman ;;
  *) [ -z "$program" ] || [ "$(head -c 2 "$real" 2>/dev/null)" != '#!' ] || ! grep -q podman "$real" 2>/dev/null || say kind 0 podman ;;
esac
# next IMAGE…: the files that are mounted into nginx, what runs in this directory has received, and images: these, and those of
# its containers and of its history; and first, what of each was looked at
next() {
  here=$(printf '%s\n' "$all" | dir=$(pwd -P) awk 'substr($0, index($0, " /") + 1) == ENVIRON["dir"] { print $1 }')
  # shellcheck disable=SC2086 # ids are hexadecimal
  facts=$(docker inspect -f '{{.Id}} {{.State.Pid}} {{.Image}} {{.Config.Image}}{{range .Mounts}}
{{if ne .Type "volume"}}{{.Destination}}|{{.Source}}{{end}}{{end}}' $here 2>/dev/null)
  paths=$(printf '%s\n' "$facts" | awk -v of="$nginx" '/^[0-9a-f]+ [0-9]+ / { is = $1 == of; next } is && /^\/etc\/nginx/ { sub(/^[^|]*[|]/, ""); print }')
  pids=$(printf '%s\n' "$facts" | awk '/^[0-9a-f]+ [0-9]+ / && $2 > 0 { print $2 }')
  images=$({
    for image in "$@"; do printf '%s\n' "$image"; done
    printf '%s\n' "$facts" | awk '/^[0-9a-f]+ [0-9]+ / { print $3; print $4 }'
    tail -n 200 "$state/history.jsonl" 2>/dev/null | grep -o '"image":"sha256:[0-9a-f]*"' | cut -d '"' -f 4
  } | sort -u)
  say of-paths 0 "$paths"; say of-pids 0 "$pids"; say of-images 0 "$images"
  each "$paths" path
  each "$pids" slot
  # shellcheck disable=SC2046 # references and ids
  [ -z "$images" ] || say images 0 "$(docker image inspect $(printf '%s ' $images) 2>/dev/null)"
}
# Two chains of about the same length at the same time; the second prints nothing before the first is done.
# `docker version` and not `docker info`, which starts every plugin of the command line and takes 0.2 s.
{ say version 0 "$(docker version --format '{{.Server.Version}}' 2>/dev/null)"; read_compose; } &
all=$(docker ps -a --no-trunc --filter label=com.docker.compose.project --format \
  '{{.ID}} {{.State}} {{.Label "com.docker.compose.service"}} {{.Label "com.docker.compose.project.working_dir"}}' 2>&1)
status=$?
[ $status -eq 0 ] && ids=$(printf '%s\n' "$all" | cut -d ' ' -f 1) || ids=''
# shellcheck disable=SC2086 # ids are hexadecimal
[ -z "$ids" ] || containers=$(docker inspect $ids 2>/dev/null)
nginx=$(printf '%s\n' "$all" | service=$service dir=$(pwd -P) awk \
  '$2 == "running" && $3 == ENVIRON["service"] && substr($0, index($0, " /") + 1) == ENVIRON["dir"] { print $1; exit }')
# the files on stdout alone: docker exec mixes the two streams as it likes
[ -z "$nginx" ] || dump=$(timeout 30 docker exec "$nginx" sh -c 'nginx -v 2>&1 && exec nginx -T 2>/dev/null' 2>/dev/null) || nginx=''
[ -z "$nginx" ] || next=$(next "$@")
wait
say engine $status "$([ $status -eq 0 ] || printf '%s' "$all")"
[ -z "$ids" ] || say containers 0 "$containers"
[ -z "$nginx" ] || { say nginx 0 "$nginx"; say nginx-dump 0 "$dump"; say next 0 "$next"; }
if [ $status -eq 0 ]; then
  root=$(printf '%s\n' "${containers:-}" | sed -n 's|.*"ResolvConfPath": "\(/.*\)/containers/.*|\1|p' | head -n 1)
  [ -d "${root:=/var/lib/docker}" ] || root=/
  say disk 0 "$(df -Pk "$root" 2>/dev/null | tail -n 1)"
fi
missing=''
for tool in flock timeout sha256sum awk; do command -v $tool >/dev/null 2>&1 || missing="$missing $tool"; done
say missing 0 "$missing"
# of_env NAME VALUE: what compose has for it: the login's value, else that of .env
of_env() { printf '%s' "${2:-$(sed -n "s/^\(export \)\{0,1\}$1=//p" .env 2>/dev/null | tail -n 1)}"; }
say env-project 0 "$(of_env COMPOSE_PROJECT_NAME "${COMPOSE_PROJECT_NAME:-}")"
say env-profiles 0 "$(of_env COMPOSE_PROFILES "${COMPOSE_PROFILES:-}")"
# files that are a pair by their names
for blue in *blue*.yml *blue*.yaml; do
  case $blue in *[:\|]*) continue ;; esac
  [ -f "$blue" ] || continue
  green=$(printf '%s' "$blue" | sed s/blue/green/g)
  [ ! -f "$green" ] || say pair 0 "$blue|$green"
done
say history-from 0 "$(awk 'END { print (NR > 200 ? NR - 199 : 1) }' "$state/history.jsonl" 2>/dev/null)"
say history 0 "$(tail -n 200 "$state/history.jsonl" 2>/dev/null)"
[ ! -s "$state/journal.jsonl" ] || say journal 0 "$(cat "$state/journal.jsonl" 2>/dev/null)"
