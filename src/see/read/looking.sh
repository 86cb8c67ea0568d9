# Functions that look at files that are mounted into nginx, and at what slots have received.

# file FILE: its text, where it may hold configuration
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
# slot PID: what it has received, and which signals it handles
slot() {
  handles=$(awk '$1 == "SigBlk:" || $1 == "SigCgt:" { printf "%s%s", (n++ ? "," : ""), $2 }' "/proc/$1/status" 2>/dev/null)
  say received 0 "$1 $(counts "$1") ${handles:--}"
}
