# What slots receive, as their network namespaces count it.

# counts PID: connections that its network namespace has accepted and segments that it has received (PassiveOpens and
# InSegs, RFC 4022), `- -` where that can't be read
counts() {
  counted=$(awk '$1 != "Tcp:" { next }
    !at { for (i = 2; i <= NF; i++) { if ($i == "PassiveOpens") at = i; if ($i == "InSegs") segs = i }; next }
    { print $at, $segs }' "/proc/$1/net/snmp" 2>/dev/null)
  printf '%s' "${counted:-- -}"
}

# from_nginx SLOT NGINX CENTISECONDS: connections from nginx to a slot: open ones, those that ended within a minute, and
# those that ended within so many centiseconds (proc_net_tcp: TIME_WAIT, state 06, stays for a minute where a connection was
# closed first, here or at nginx, and shows how much of it is left: nothing for the few seconds in which one may stay on, and
# which say no more when it ended). SLOT is PID:PORT:ADDRESSES:NAME, NGINX is PID:ADDRESSES,
# port and addresses in hexadecimal, the latter joined by commas.
from_nginx() {
  { cat "/proc/${1%%:*}/net/tcp" "/proc/${1%%:*}/net/tcp6"; echo nginx
    cat "/proc/${2%%:*}/net/tcp" "/proc/${2%%:*}/net/tcp6"; } 2>/dev/null | awk -v slot="$1" -v nginx="${2#*:}" -v last="$3" '
    function number(hex,  i, n) {
      for (i = 1; i <= length(hex); i++) n = n * 16 + index("0123456789ABCDEF", substr(hex, i, 1)) - 1
      return n + 0
    }
    function remote(addresses, count, port,  i) {
      for (i = 1; i <= count; i++) if (index($3, addresses[i] ":" port)) return 1
      return 0
    }
    BEGIN { split(slot, of, ":"); port = of[2]; slots = split(of[3], to, ","); count = split(nginx, from, ",") }
    $1 == "nginx" { there = 1; next }
    there ? !remote(to, slots, port) : substr($2, length($2) - 4) != ":" port || !remote(from, count, "") { next }
    $4 == "01" && !there { open++ }
    $4 == "06" { ended++; left = number(substr($6, 4)); if (left > 0 && 6000 - left <= last) fresh++ }
    END { print open + 0, ended + 0, fresh + 0 }'
}
