# Asks the slots that were started a moment ago for their health paths until they are healthy, or somebody hangs up. Words, for
# each: its project, its service, the address to ask at or '' for the container's own, port, Host header, path, seconds from one
# question to the next, how many healthy answers in a row are enough, the statuses that are (ranges such as `200-299`, with
# spaces between). Names: agent (User-Agent).
# Lines, each with the number of the slot: `at` with its container and address; `answered` with the status and, of a redirect,
# where to; `failed` with why. Nothing where the host has no bash to ask with.
command -v bash >/dev/null 2>&1 || exit 0
# shellcheck disable=SC2016 # bash expands it
case $(bash -c ': <>/dev/tcp/127.0.0.1/1' 2>&1) in *'No such file'*) exit 0 ;; esac
# one NUMBER PROJECT SERVICE ADDRESS PORT HOST PATH PAUSE ENOUGH STATUSES
one() {
  id=$(docker ps -q --no-trunc --filter "label=com.docker.compose.project=$2" \
    --filter "label=com.docker.compose.service=$3" --filter label=com.docker.compose.oneoff=False | head -n 1)
  [ -n "$id" ] || return
  address=$4
  [ -n "$address" ] || address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{println .IPAddress}}{{end}}' "$id" | grep . | head -n 1)
  [ -n "$address" ] || return
  echo "$1 at $id $address"
  # shellcheck disable=SC2016 # bash expands it
  exec bash -c '
    number=$1 address=$2 port=$3 host=$4 path=$5 pause=$6 enough=$7 statuses=$8 agent=$9 cr=$(printf "\r") healthy=0
    is_healthy() {
      for range in $statuses; do [ "$1" -ge "${range%-*}" ] && [ "$1" -le "${range#*-}" ] && return; done
      return 1
    }
    while [ "$healthy" -lt "$enough" ]; do
      status=0
      if { exec 3<>"/dev/tcp/$address/$port"; } 2>/dev/null; then
        printf "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nConnection: close\r\n\r\n" "$path" "$host" "$agent" 2>/dev/null >&3
        if IFS= read -r -t 5 -n 4096 line <&3; then
          case $line in
            HTTP/*" "[1-9][0-9][0-9]*)
              line=${line#* } to="" count=0
              status=${line:0:3}
              while [ $count -lt 100 ] && IFS= read -r -t 1 -n 4096 header <&3 && [ -n "${header%"$cr"}" ]; do
                count=$((count + 1))
                case $header in [Ll][Oo][Cc][Aa][Tt][Ii][Oo][Nn]:*) to=${header#*:} ;; esac
              done
              echo "$number answered $status ${to%"$cr"}" || exit ;;
            *) echo "$number failed it answered no HTTP" || exit ;;
          esac
        elif [ $? -gt 128 ]; then
          echo "$number failed no answer within 5 s" || exit
        else
          echo "$number failed the connection was closed without an answer" || exit
        fi
        exec 3>&-
      else
        echo "$number failed nothing listens on $address:$port" || exit
      fi
      if is_healthy "$status"; then healthy=$((healthy + 1)); else healthy=0; fi
      [ "$healthy" -ge "$enough" ] || sleep "$pause"
    done' bash "$1" "$address" "$5" "$6" "$7" "$8" "$9" "${10}" "$agent"
}
number=0
while [ $# -ge 9 ]; do
  one $number "$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" "$9" &
  number=$((number + 1))
  shift 9
done
wait
