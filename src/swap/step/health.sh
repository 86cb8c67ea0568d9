# Waits until a container's own healthcheck passes: by Docker's word, or by the same test run now. Prints why it does not.
# Words: the container, seconds, the test's words.
LC_ALL=C; export LC_ALL
uptime() { read -r up _ < /proc/uptime; echo "${up%.*}"; }
id=$1 end=$(($(uptime) + $2)); shift 2
while :; do
  seen=$(docker inspect -f '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' "$id" 2>&1)
  case $seen in 'running healthy') exit 0 ;; running*) ;; *) echo "the container is $seen"; exit 0 ;; esac
  out=$(timeout 30 docker exec "$id" "$@" 2>&1); status=$?
  # what Docker has tried several times counts more than one try
  case $seen in *' unhealthy') break ;; esac
  [ $status -ne 0 ] || exit 0
  [ "$(uptime)" -lt "$end" ] || break
  sleep 0.5
done
echo "Docker calls it ${seen#running }, and the test ends with $status: $out"
