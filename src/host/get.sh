# GET with what the host has. Words: http or https, address, port, Host header, path, seconds.
case $2 in *:*) url="$1://[$2]:$3$5" ;; *) url="$1://$2:$3$5" ;; esac
if command -v curl >/dev/null 2>&1; then
  exec curl -s -k -i -m "$6" -g -H "Host: $4" "$url"
elif [ "$1" = http ] && command -v bash >/dev/null 2>&1; then
  exec timeout "$6" bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n" "$3" "$2" >&3 && head -c 4096 <&3' "$2" "$3" "$4" "$5"
fi
echo "sshd refuses forwarding (AllowTcpForwarding), and the host has no curl to ask with instead" >&2
exit 1
