# Pulls an image through the port that leads to cutover, names it, and forgets the port's name. The pull ends when stdin
# does. Prints the image's id. Words: the port's reference, the name to keep, the file of the layers, its lines.
LC_ALL=C; export LC_ALL
umask 077
from=$1 name=$2 file=$3; shift 3
exec 3<&0
docker pull -q "$from" </dev/null >/dev/null &
pull=$!
{ read -r _ <&3; kill "$pull"; } >/dev/null 2>&1 &
wait "$pull" || exit 1
# each docker command takes a while to start: two at once
docker image inspect -f '{{.Id}}' "$from" &
id=$!
trap 'docker rmi "$from" </dev/null >/dev/null 2>&1' EXIT   # also of a run that was overtaken
fence
trap - EXIT
docker tag "$from" "$name" && wait "$id" || exit 1
# nobody waits for this one
docker rmi "$from" </dev/null >/dev/null 2>&1 8>&- &
mkdir -p "$(dirname "$file")" && printf '%s\n' "$@" > "$file.next" && mv -f "$file.next" "$file"
exit 0
