# GET over plain HTTP with what the host has. Words: address, port, Host header, path, seconds.
if command -v curl >/dev/null 2>&1; then
  exec curl -s -i -m "$5" -H "Host: $3" "http://$1:$2$4"
elif command -v bash >/dev/null 2>&1; then
  exec timeout "$5" bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n" "$3" "$2" >&3 && head -c 4096 <&3' "$1" "$2" "$3" "$4"
fi
echo "sshd refuses forwarding, and the host has neither curl nor bash to ask with" >&2
exit 1
