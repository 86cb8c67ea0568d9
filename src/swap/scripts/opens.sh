# opens PID: connections that its network namespace has accepted (PassiveOpens, RFC 4022), `-` where that can't be read
opens() {
  opened=$(awk '$1 != "Tcp:" { next } !at { for (i = 2; i <= NF; i++) if ($i == "PassiveOpens") at = i; next } { print $at }' \
    "/proc/$1/net/snmp" 2>/dev/null)
  printf '%s' "${opened:--}"
}
# ----
