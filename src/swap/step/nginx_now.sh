# Prints the container that nginx has now: the one that it had, if that is still there, else the newest of its service, or the
# one that has its name. Words: that container, `service` or `container`, the service or the name.
if [ "$2" = service ]; then
  all=$(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
    --filter "label=com.docker.compose.service=$3" --filter label=com.docker.compose.oneoff=False) || exit 1
else
  all=$(docker ps -aq --no-trunc --filter "name=^/?$3\$") || exit 1
fi
case $all in *"$1"*) printf '%s\n' "$1" ;; *) printf '%s\n' "$all" | head -n 1 ;; esac
