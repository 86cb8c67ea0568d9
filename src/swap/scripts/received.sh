# What the slots have received: connections that a process's network namespace has accepted (PassiveOpens, RFC 4022),
# and connections open to the slot's port now, but for those from its own loopback. Words: process and port pairs.
while [ $# -gt 1 ]; do
  opens=$(awk '$1 == "Tcp:" && $6 ~ /^[0-9]+$/ { print $6 }' "/proc/$1/net/snmp" 2>/dev/null)
  port=$(printf ':%04X' "$2")
  open=$(cat "/proc/$1/net/tcp" "/proc/$1/net/tcp6" 2>/dev/null |
    awk -v p="$port" '$4 == "01" && index($2, p) && $2 !~ /7F:|^0+1000000:/ { n++ } END { print n + 0 }')
  echo "$1 ${opens:--} $open"
  shift 2
done
