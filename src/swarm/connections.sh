# Connections to and from some ports, as network namespaces have them (proc_net_tcp(5)). Words: PIDs whose namespaces. Names:
# ports (in hexadecimal, each with a space before and behind it), last (centiseconds: of those that have ended, TIME_WAIT, the ones
# that ended within).
for pid in "$@"; do
  # local and remote address of each; of an IPv4 address in IPv6 its own part
  found=$(cat "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" 2>/dev/null | awk -v ports="$ports" -v last="$last" '
    function number(hex,  i, n) {
      for (i = 1; i <= length(hex); i++) n = n * 16 + index("0123456789ABCDEF", substr(hex, i, 1)) - 1
      return n + 0
    }
    $4 == "0A" || $2 !~ /:/ { next }
    {
      split($2, here, ":"); split($3, there, ":")
      if (!index(ports, " " here[2] " ") && !index(ports, " " there[2] " ")) next
      if ($4 == "06" && 6000 - number(substr($6, 4)) > last) next
      print substr(here[1], length(here[1]) - 7), here[2], substr(there[1], length(there[1]) - 7), there[2]
    }')
  say connections 0 "$found"
done
