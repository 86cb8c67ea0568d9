# The least that a swap can take on this host: starting a container that is already made, the app's own start, and a
# reload taking effect. Nothing is locked, proved, drained or put back. Words: the slot to start, the slot that serves,
# the image, its version. Prints the milliseconds.
set -e
new=$1 old=$2 image=$3 version=$4
docker pull -q "$image:$version" >/dev/null
docker tag "$image:$version" "$image:latest"
docker-compose up --no-start --no-deps --force-recreate "$new" >/dev/null 2>&1

begun=$(date +%s%N)
docker start "$new" >/dev/null
address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$new")
until curl -sf -o /dev/null "http://$address:3001/"; do sleep 0.02; done
sed -i "s/server $old:/server $new:/" nginx/default.conf
docker exec nginx nginx -s reload >/dev/null 2>&1
until curl -s http://127.0.0.1/ | grep -q "\"$version\""; do sleep 0.01; done
echo $((($(date +%s%N) - begun) / 1000000))

# not counted: let the others finish
sleep 2
docker stop "$old" >/dev/null
