# nginx: its workers, its reload, and its files. It is called by its container, or `host:RIGHTS:PROGRAM`: it is on the host, and
# RIGHTS is `sudo` where it takes that.
master=''

on_host() { case $1 in host:*) return 0 ;; esac; return 1; }

# its_master NGINX: PID of its master into $master. On the host that is a process of no container: it has one PID alone
# (proc_pid_status(5), NSpid).
its_master() {
  on_host "$1" || { master=$(docker inspect -f '{{.State.Pid}}' "$1"); return; }
  for each in /proc/[0-9]*; do
    title=''
    { IFS= read -r title < "$each/cmdline"; } 2>/dev/null
    case $title in 'nginx: master process '*) ;; *) continue ;; esac
    [ "$(sed -n 's/^NSpid://p' "$each/status" 2>/dev/null | wc -w)" -le 1 ] || continue
    master=${each#/proc/}
    return
  done
  master=''
}

# run NGINX WORD…: its program with these words, where it runs
run() {
  of=$1; shift
  if on_host "$of"; then
    program=${of#host:*:}
    if [ "${of%":$program"}" = host:sudo ]; then set -- sudo -n "$program" "$@"; else set -- "$program" "$@"; fi
    timeout "$patience" "$@"
  else
    timeout "$patience" docker exec "$of" nginx "$@"
  fi
}

# processes NGINX: all of where it runs
processes() {
  if on_host "$1"; then (cd /proc && printf '%s\n' [0-9]*); else docker top "$1" -eo pid; fi
}

# workers NGINX: "PID serving" or "PID leaving" for each of its workers. From /proc where PID 1 of the container, $master, is
# nginx itself and can be read there: `docker top` takes 40 ms.
workers() {
  children=$(cat "/proc/${master:-none}/task/$master/children" 2>/dev/null) ||
    { its_master "$1"; children=$(cat "/proc/$master/task/$master/children" 2>/dev/null); }
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
  if on_host "$1"; then
    [ -z "$master" ] || ps -e -o ppid,pid,args | awk -v "master=$master" '$1 == master { $1 = ""; print }'
  else
    docker top "$1" -eo pid,args
  fi | awk '/nginx: worker process/ { print $1, (/is shutting down/ ? "leaving" : "serving") }'
}

# Text for a shell in nginx's container: what a name means there, asked with whichever the image has.
meaning='meaning() {
  { getent ahostsv4 "$1" || getent hosts "$1" ||
    curl -sv -m 2 "http://$1:9/" 2>&1 | sed -n "s/^\* *IPv[46]: //p" | tr ", " "\n\n" | grep "[.:]"; } 2>/dev/null |
    cut -d " " -f 1 | sort -u
}'

# reload NGINX SECONDS MEANT: tests, reloads, and waits until every worker of before is leaving and a new one serves. Each
# line of MEANT is a name and addresses: what the name means in nginx's container must be among these; that is printed. Ends
# with 1 where nginx took nothing, with 2 where it may have.
reload() {
  nginx=$1 patience=$2 meant=${3:-}
  clock; end=$((uptime + patience))
  [ -n "$master" ] || its_master "$nginx" 2>/dev/null
  until before=$(workers "$nginx" 2>/dev/null) && [ -n "$before" ]; do   # it may be restarting
    clock; [ "$uptime" -lt "$end" ] || { echo "nginx does not run" >&2; return 1; }
    sleep 0.2
  done
  before=" $(printf '%s' "$before" | tr '\n' ' ') "
  # in one exec, which costs 0.1 s; an image without a shell (126, 127) needs two
  # what runs in a container may never end: a queue in the place of a file is enough
  if on_host "$nginx"; then
    out=$(run "$nginx" -t 2>&1 && run "$nginx" -s reload 2>&1); status=$?
  else
    out=$(timeout "$patience" docker exec "$nginx" sh -c "$meaning"'
    nginx -t || exit 1
    printf "%s\n" "$1" | while read -r name wanted; do
      [ -n "$name" ] || continue
      for address in $(meaning "$name"); do
        case " $wanted " in
          *" $address "*) echo "@resolved $name $address" ;;
          *) echo "in the nginx container $name means $address too, which is not the new slot ($wanted): requests would go there"; exit 1 ;;
        esac
      done
    done || exit 1
    exec nginx -s reload' sh "$meant" 2>&1); status=$?
  fi
  case $status in
    126 | 127) out=$(run "$nginx" -t 2>&1 && run "$nginx" -s reload 2>&1); status=$? ;;
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

# take HOW FILE TO: copies what a file says, or where a link leads, into the state directory
take() {
  if [ "$1" = link ]; then
    [ -L "$2" ] && leads=$(readlink "$2") && printf '%s' "$leads" > "$3"
  else
    fetch "$2" "$3"
  fi
}

# replace FILE NEW HOW: NEW's bytes become FILE's, by rename (all or nothing), in place (a single-file mount), or as where it
# leads (a link, which stays one), or in place by root
replace() {
  case $3 in
    rename)
      is_file "$1" && about=$(stat -c '%a %u:%g' "$1") && cat "$2" > "$state/placed.next" &&
        chmod "${about% *}" "$state/placed.next" &&
        { chown "${about#* }" "$state/placed.next" 2>/dev/null || [ "$(id -u)" != 0 ]; } &&
        place "$state/placed.next" "$1" && return 0
      rm -f "$state/placed.next"
      return 1 ;;
    link)
      rm -f "${1%/*}"/.cutover-next-*   # of a run that was killed
      [ -L "$1" ] && beside="${1%/*}/.cutover-next-$(mktemp -u XXXXXXXXXXXX)" || return 1
      ln -s "$(cat "$2")" "$beside" && mv -fT "$beside" "$1" && return 0
      rm -f "$beside"
      return 1 ;;
    sudo) sudo -n "$(command -v tee)" "$1" < "$2" > /dev/null && { sync "$1" 2>/dev/null || sync; }; return ;;
  esac
  { is_open "$1" && cat "$2" > /proc/self/fd/7; } 7<>"$1" && { sync "$1" 2>/dev/null || sync; }
}

# is_torn FILE NUMBER: it is written in place, and has what a write ended by a power cut leaves of what was there, of what was to be,
# or of what it shall be again: its beginning, or bytes that never arrived. Whatever else it says, somebody else wrote.
is_torn() {
  fetch "$1" "$state/conf.torn" && torn=$(wc -c < "$state/conf.torn") || return 1
  for text in "$state/conf.next$2" "$state/conf.before$2" "$state/conf.back$2"; do
    [ -e "$text" ] && [ "$torn" -lt "$(wc -c < "$text")" ] &&
      [ "$(head -c "$torn" "$text" | sha256sum)" = "$(sha256sum < "$state/conf.torn")" ] && return 0
  done
  [ "$(tr -d '\000' < "$state/conf.torn" | wc -c)" -lt "$torn" ]
}

# is_open FILE: descriptor 7 is that of FILE itself
is_open() {
  opened=$(stat -L -c '%F %d %i' /proc/self/fd/7) && [ "$opened" = "$(stat -c '%F %d %i' "$1")" ] || return 1
  case $opened in regular*) ;; *) return 1 ;; esac
}
