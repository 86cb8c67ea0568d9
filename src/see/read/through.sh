# Sends requests through nginx, each over a connection of its own and all at once, and says what the slots have received then.
# stdin: header lines. Words: the slots, as from_nginx takes them. Names: scheme, address, port, host (the Host header), path,
# mark (`mark` where each request has a path of its own), agent (User-Agent), requests (how many; of one that follows a reload
# `workers`: two for each worker of nginx, the container named), nginx, at (nginx as from_nginx takes it), last (centiseconds
# of before this script that count as well).
# A line `answered STATUS` for each answer, or `failed` and why; `none` where the host has nothing to ask with.

IFS=' .' read -r second part _ < /proc/uptime
began=$((second * 100 + 1$part - 100))
headers=$(cat)
if [ "$requests" = workers ]; then
  requests=$((2 * $(workers "$nginx" 2>/dev/null | grep -c ' serving$')))
  [ $requests -ge 4 ] || requests=4
  [ $requests -le 16 ] || requests=16
fi
# of a bash that can connect
has_bash() {
  command -v bash >/dev/null 2>&1 || return 1
  # shellcheck disable=SC2016 # bash expands it
  case $(bash -c ': <>/dev/tcp/127.0.0.1/1' 2>&1) in *'No such file'*) return 1 ;; esac
}
by_curl() {
  code=$(printf '%s\n' "$headers" | curl -s -k -o /dev/null -w '%{http_code}' -m 5 -g -A "$agent" -H "Host: $host" -H @- \
    --connect-to "::$address:$port" "$scheme://${host%:*}:$port$path${mark:+$1}")
  case $code in
    000 | '') echo "failed no answer within 5 s" ;;
    *) echo "answered $code" ;;
  esac
}
if [ "$scheme" = http ] && has_bash; then
  # shellcheck disable=SC2016 # bash expands it
  printf '%s\n' "$headers" | timeout 12 bash -c '
    address=$1 port=$2 host=$3 path=$4 mark=$5 agent=$6 requests=$7 headers=$(cat) fds="" number=0
    while [ $number -lt "$requests" ]; do
      number=$((number + 1))
      if ! { exec {fd}<>"/dev/tcp/$address/$port"; } 2>/dev/null; then echo "failed nothing listens on $address:$port"; break; fi
      fds="$fds $fd"
      {
        printf "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nConnection: close\r\n" "$path${mark:+$number}" "$host" "$agent"
        printf "%s\n" "$headers" | while IFS= read -r line; do [ -z "$line" ] || printf "%s\r\n" "$line"; done
        printf "\r\n"
      } 2>/dev/null >&"$fd"
    done
    for fd in $fds; do
      if IFS= read -r -t 5 -n 4096 line <&"$fd"; then
        case $line in
          HTTP/*" "[1-9][0-9][0-9]*) line=${line#* }; echo "answered ${line:0:3}" ;;
          *) echo "failed no HTTP answer"; break ;;
        esac
      elif [ $? -gt 128 ]; then
        echo "failed no answer within 5 s"; break
      else
        echo "failed the connection was closed without an answer"; break
      fi
    done' bash "$address" "$port" "$host" "$path" "$mark" "$agent" "$requests"
elif command -v curl >/dev/null 2>&1; then
  case $address in *:*) address="[$address]" ;; esac
  number=0
  while [ $number -lt "$requests" ]; do
    number=$((number + 1))
    by_curl $number &
  done
  wait
else
  echo none
  exit 0
fi
IFS=' .' read -r second part _ < /proc/uptime
last=$((last + second * 100 + 1$part - 100 - began))
for slot in "$@"; do
  echo "${slot%%:*} $(counts "${slot%%:*}") $(from_nginx "$slot" "$at" "$last")"
done
