# What slots have received: what their network namespaces count, and connections from nginx. Words: nginx, centiseconds, then
# slots, each as from_nginx takes them.
nginx=$1 last=$2; shift 2
for slot in "$@"; do
  echo "${slot%%:*} $(counts "${slot%%:*}") $(from_nginx "$slot" "$nginx" "$last")"
done
