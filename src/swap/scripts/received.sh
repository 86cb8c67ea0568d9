# What slots have received: connections that a process's network namespace has accepted, and connections
# to the slot's port that come from nginx, open or just ended (proc_net_tcp: TIME_WAIT stays for a minute).
# Words: the port, nginx's addresses in hexadecimal joined by commas, then processes.
port=$(printf ':%04X' "$1") nginx=$2; shift 2
for pid in "$@"; do
  here=$(cat "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" 2>/dev/null | awk -v port="$port" -v nginx="$nginx" '
    BEGIN { count = split(nginx, from, ",") }
    substr($2, length($2) - 4) == port {
      for (i = 1; i <= count; i++) if (index($3, from[i] ":")) { n++; break }
    }
    END { print n + 0 }')
  echo "$pid $(opens "$pid") $here"
done
