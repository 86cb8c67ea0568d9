# nginx's configuration as files and as its container sees it, what the slots received, and images.
# Words: the paths mounted into nginx, `--`, image references. Names: nginx (its container, or ''), slots (a list of their
# processes).
file() {
  [ -L "$1" ] && { say link 0 "$1"; say target 0 "$(readlink "$1")"; }   # its target may be there in the container alone
  case $1 in *.key|*.pem|*.crt|*.p12|*.htpasswd) return ;; esac
  [ -f "$1" ] || return
  size=$(wc -c < "$1" 2>/dev/null) || { say unreadable 1 "$1"; return; }
  [ "$size" -le 262144 ] || return
  say path 0 "$1"
  [ -w "$1" ] && say writable 0 "$1"
  printf '@file 0 %s\n' "$size"; cat "$1"; echo
}
path() {
  if [ -d "$1" ]; then
    [ -w "$1" ] && say writable 0 "$1"
    for each in "$1"/* "$1"/*/*; do
      [ -d "$each" ] && [ -w "$each" ] && say writable 0 "$each"
      file "$each"
    done
  elif [ -f "$1" ]; then
    [ -w "${1%/*}" ] && say writable 0 "${1%/*}"
    file "$1"
  else
    say absent 0 "$1"
  fi
}
while [ "$1" != -- ]; do path "$1"; shift; done
shift
slot() {
  handles=$(awk '$1 == "SigBlk:" || $1 == "SigCgt:" { printf "%s%s", (n++ ? "," : ""), $2 }' "/proc/$1/status" 2>/dev/null)
  say received 0 "$1 $(counts "$1") ${handles:--}"
}
each "$slots" slot
# Each of these takes 0.1 s, so at the same time; the dump is printed after the others.
{
  [ -z "$nginx" ] || say nginx-version 0 "$(timeout 30 docker exec "$nginx" nginx -v 2>&1)"
  [ $# -eq 0 ] || say images 0 "$(docker image inspect "$@" 2>/dev/null)"
} &
if [ -n "$nginx" ]; then
  # the files on stdout alone: docker exec mixes the two streams as it likes
  dump=$(timeout 30 docker exec "$nginx" nginx -T 2>/dev/null); status=$?
  wait
  if [ $status -eq 0 ]; then
    say nginx-dump 0 "$dump"
  else
    say nginx-dump 1 "$(timeout 30 docker exec "$nginx" nginx -t 2>&1)"
  fi
fi
wait
