# Loads the archive on stdin, which names no image, names it, and prints its id. Words: the name.
LC_ALL=C; export LC_ALL
loaded=$(docker load -q) || exit 1
fence
docker tag "${loaded##* }" "$1" && docker image inspect -f '{{.Id}}' "$1"
