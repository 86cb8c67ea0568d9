# GET with what the host has. stdin: more header lines. Words: http or https, address, port, Host header, path, seconds,
# User-Agent.
case $2 in *:*) url="$1://[$2]:$3$5" ;; *) url="$1://$2:$3$5" ;; esac
if command -v curl >/dev/null 2>&1; then
  curl -s -k -i -m "$6" -g -A "$7" -H "Host: $4" -H @- "$url" | head -c 65536
  exit
elif [ "$1" = http ] && command -v bash >/dev/null 2>&1; then
  exec timeout "$6" bash -c 'exec 3<>"/dev/tcp/$0/$1" && { printf "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: %s\r\nConnection: close\r\n" "$3" "$2" "$4"
    while IFS= read -r line; do printf "%s\r\n" "$line"; done; printf "\r\n"; } >&3 && head -c 4096 <&3' "$2" "$3" "$4" "$5" "$7"
fi
echo "sshd refuses forwarding (AllowTcpForwarding), and the host has no curl to ask with instead" >&2
exit 1
