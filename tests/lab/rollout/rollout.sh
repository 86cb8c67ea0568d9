#!/bin/sh
# What docker-rollout 0.13 (https://github.com/wowu/docker-rollout) does to a service with one container and a health
# check, told anew: the same commands with the same options in the same order, and the same second between two looks.
set -e
service=$1

containers() { docker compose ps --quiet "$service"; }
is_healthy() { docker inspect --format '{{json .State.Health.Status}}' "$1" | grep -qx '"healthy"'; }

docker compose >/dev/null 2>&1 # is there such a plugin?
containers >/dev/null          # does anything run?

old=$(containers)
docker compose up --detach --scale "$service=2" --no-recreate "$service"
new=$(containers | grep -vx "$old")

docker inspect --format '{{json .State.Health}}' "$new" | grep -q Status # is there a health check?
for _ in $(seq 60); do
  ! is_healthy "$new" || break
  sleep 1
done
if ! is_healthy "$new"; then
  docker stop "$new"
  docker rm "$new"
  exit 1
fi

docker inspect --format '{{index .Config.Labels "docker-rollout.pre-stop-hook"}}' "$old" # none here
docker stop "$old"
docker rm "$old"
