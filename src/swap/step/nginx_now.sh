# Prints the container that nginx has now: the one that it had, if that is still there, else the newest of its service.
# Words: that container, nginx's service.
all=$(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
  --filter "label=com.docker.compose.service=$2" --filter label=com.docker.compose.oneoff=False) || exit 1
case $all in *"$1"*) printf '%s\n' "$1" ;; *) printf '%s\n' "$all" | head -n 1 ;; esac
