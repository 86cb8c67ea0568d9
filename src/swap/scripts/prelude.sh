# What every script of a swap starts with, up to the line of dashes; before it come the functions of a fenced step.
LC_ALL=C; export LC_ALL
trap '' HUP PIPE   # a cut connection must not split a step
umask 077
[ ! -g "${state%/*}" ] || umask 007   # a group shares it
master=''
whole
fence

# say NAME STATUS TEXT: one framed section of output; in the locale C a length is in bytes
say() { printf '@%s %s %s\n%s\n' "$1" "$2" "${#3}" "$3"; }

# whole_lines FILE: what is added to it begins a line of its own, also where a crash tore its last one (or left NULs there)
whole_lines() { [ ! -s "$1" ] || [ "$(tail -c 1 "$1" | wc -l)" -eq 1 ] || echo >> "$1"; }

# journal STEP STATE: one line on disk before going on
journal() {
  [ -n "${journaled:-}" ] || { journaled=1; whole_lines "$state/journal.jsonl"; }
  printf '{"step":"%s","state":"%s"}\n' "$1" "$2" >> "$state/journal.jsonl" || return 1
  sync "$state/journal.jsonl" 2>/dev/null || sync
}

# stage: the journal's first line is the plan, which is the first line of stdin; the rest of stdin stays unread. There is a
# journal where its file is not empty; only this run's own is gone on with.
stage() {
  IFS= read -r plan || fail "the plan arrived incomplete"
  if [ -s "$state/journal.jsonl" ]; then
    IFS= read -r staged < "$state/journal.jsonl"
    case $staged in '{"id":"'"$holder"'",'*) return 0 ;; esac
    fail "$state/journal.jsonl is there, of another run; \`cutover recover\` sees to it"
  fi
  printf '%s\n' "$plan" > "$state/journal.next" && { sync "$state/journal.next" 2>/dev/null || sync; } &&
    mv "$state/journal.next" "$state/journal.jsonl" || fail "the journal can't be written"
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

# What a container has mounted its root can change at any moment: links, queues and devices in the place of files, and
# names that are foreseen. So such a place is written by `place` and read by `fetch` alone.

# is_file FILE: it is a file itself, and not what a link leads to
is_file() { [ -f "$1" ] && [ ! -L "$1" ]; }

# fetch FILE TO: copies a file into the state directory. The copy is what is looked at, kept and put back.
fetch() { is_file "$1" && timeout 20 cat "$1" > "$2"; }

# place NEW FILE: NEW, of the state directory, becomes FILE as a whole or not at all, with NEW's mode. The name beside FILE is
# one that nobody foresees; what has it already is neither opened nor followed (link(2), O_EXCL), nor is what FILE is.
place() {
  { sync "$1" 2>/dev/null || sync; }
  rm -f "${2%/*}"/.cutover-next-*   # of a run that was killed
  beside="${2%/*}/.cutover-next-$(mktemp -u XXXXXXXXXXXX)" || return 1
  if ln "$1" "$beside" 2>/dev/null || new_file "$1" "$beside"; then
    mv -fT "$beside" "$2" && rm -f "$1" "$beside" && return 0
  fi
  rm -f "$beside"
  return 1
}

# new_file FROM FILE: a copy on another filesystem, which nobody else has made
new_file() {
  mode=$(stat -c %a "$1") || return 1
  (umask "$(printf '%o' $((0777 & ~0$mode)))"; set -C; cat "$1" > "$2") 2>/dev/null
}

digest_of() { is_file "$1" && timeout 20 sha256sum "$1" | sed 's/^\\*\([0-9a-f]*\) .*/\1/'; }

# workers NGINX: "PID serving" or "PID leaving" for each of its workers. From /proc where PID 1 of the container, $master, is
# nginx itself and can be read there: `docker top` takes 40 ms.
workers() {
  children=$(cat "/proc/${master:-none}/task/$master/children" 2>/dev/null) ||
    { master=$(docker inspect -f '{{.State.Pid}}' "$1"); children=$(cat "/proc/$master/task/$master/children" 2>/dev/null); }
  found=''
  for pid in $children; do
    title=''
    { IFS= read -r title < "/proc/$pid/cmdline"; } 2>/dev/null   # without a newline: status 1, and all is read
    case $title in
      'nginx: worker process is shutting down'*) found="$found$pid leaving
" ;;
      'nginx: worker process'*) found="$found$pid serving
" ;;
    esac
  done
  if [ -n "$found" ]; then printf '%s' "$found"; return; fi
  docker top "$1" -eo pid,args | awk '/nginx: worker process/ { print $1, (/is shutting down/ ? "leaving" : "serving") }'
}

# engine SECONDS: waits until dockerd answers; it may be restarting
engine() {
  clock; end=$((uptime + $1))
  until docker version >/dev/null 2>&1; do
    clock; [ "$uptime" -lt "$end" ] || fail "dockerd does not answer"
    sleep 0.2
  done
}

# reload NGINX SECONDS [NAME ADDRESSES]…: tests, reloads, and waits until every worker of before is leaving and a new one
# serves. What a name means in nginx's container must be among its addresses; that is printed. Ends with 1 where nginx took
# nothing, with 2 where it may have.
reload() {
  nginx=$1 patience=$2; shift 2
  clock; end=$((uptime + patience))
  [ -n "$master" ] || master=$(docker inspect -f '{{.State.Pid}}' "$nginx" 2>/dev/null)
  until before=$(workers "$nginx" 2>/dev/null) && [ -n "$before" ]; do   # it may be restarting
    clock; [ "$uptime" -lt "$end" ] || { echo "nginx does not run" >&2; return 1; }
    sleep 0.2
  done
  before=" $(printf '%s' "$before" | tr '\n' ' ') "
  # in one exec, which costs 0.1 s; an image without a shell (126, 127) needs two
  # what runs in a container may never end: a queue in the place of a file is enough
  out=$(timeout "$patience" docker exec "$nginx" sh -c 'nginx -t || exit 1
    while [ $# -gt 0 ]; do
      for address in $({ getent ahostsv4 "$1" || getent hosts "$1" ||   # whichever the image has
          curl -sv -m 2 "http://$1:9/" 2>&1 | sed -n "s/^\* *IPv[46]: //p" | tr ", " "\n\n" | grep "[.:]"; } 2>/dev/null |
          cut -d " " -f 1 | sort -u); do
        case " $2 " in
          *" $address "*) echo "@resolved $1 $address" ;;
          *) echo "in the nginx container $1 means $address too, which is not the new slot ($2): requests would go there"; exit 1 ;;
        esac
      done
      shift 2
    done
    exec nginx -s reload' sh "$@" 2>&1); status=$?
  case $status in
    126 | 127) out=$(timeout "$patience" docker exec "$nginx" nginx -t 2>&1 && timeout "$patience" docker exec "$nginx" nginx -s reload 2>&1); status=$? ;;
  esac
  [ $status -ne 124 ] || { echo "nginx did not end testing its configuration within $patience s" >&2; return 2; }
  [ $status -eq 0 ] || { printf '%s\n' "$out" | grep -v '^@resolved ' >&2; return 1; }
  printf '%s\n' "$out" | grep '^@resolved '
  clock; end=$((uptime + patience))
  while :; do
    stale='' fresh='' pid=''
    for word in $(workers "$nginx"); do
      case $word in
        leaving) ;;
        serving) case $before in *" $pid "*) stale=$pid ;; *) fresh="$fresh $pid" ;; esac ;;
        *) pid=$word ;;
      esac
    done
    [ -n "$fresh" ] && [ -z "$stale" ] && break
    clock; [ "$uptime" -lt "$end" ] || { echo "nginx went on with its old workers for $patience s after the reload" >&2; return 2; }
    sleep 0.01   # the processor is nginx's now
  done
  # shellcheck disable=SC2086 # numbers
  echo "@workers $(set -- $fresh; echo $#)"
}

# replace FILE NEW HOW: NEW's bytes become FILE's, by rename (all or nothing) or in place (a single-file mount)
replace() {
  if [ "$3" = rename ]; then
    is_file "$1" && about=$(stat -c '%a %u:%g' "$1") && cat "$2" > "$state/placed.next" &&
      chmod "${about% *}" "$state/placed.next" &&
      { chown "${about#* }" "$state/placed.next" 2>/dev/null || [ "$(id -u)" != 0 ]; } &&
      place "$state/placed.next" "$1" && return 0
    rm -f "$state/placed.next"
    return 1
  fi
  { is_open "$1" && cat "$2" > /proc/self/fd/7; } 7<>"$1" && { sync "$1" 2>/dev/null || sync; }
}

# is_torn FILE: it is written in place, and has what a write ended by a power cut leaves of what was there, of what was to be,
# or of what it shall be again: its beginning, or bytes that never arrived. Whatever else it says, somebody else wrote.
is_torn() {
  fetch "$1" "$state/conf.torn" && size=$(wc -c < "$state/conf.torn") || return 1
  for text in "$state/conf.next" "$state/conf.before" "$state/conf.back"; do
    [ -e "$text" ] && [ "$size" -lt "$(wc -c < "$text")" ] &&
      [ "$(head -c "$size" "$text" | sha256sum)" = "$(sha256sum < "$state/conf.torn")" ] && return 0
  done
  [ "$(tr -d '\000' < "$state/conf.torn" | wc -c)" -lt "$size" ]
}

# is_open FILE: descriptor 7 is that of FILE itself
is_open() {
  opened=$(stat -L -c '%F %d %i' /proc/self/fd/7) && [ "$opened" = "$(stat -c '%F %d %i' "$1")" ] || return 1
  case $opened in regular*) ;; *) return 1 ;; esac
}
# ----
