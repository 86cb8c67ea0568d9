set -eu
fail() { echo "$*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "this wants root: ssh root@HOST sh -s < cutover-server.sh, or ssh USER@HOST sudo sh -s < cutover-server.sh"
docker version >/dev/null 2>&1 || fail "Docker is missing here, or does not run: curl -fsSL https://get.docker.com | sh"
docker compose version >/dev/null 2>&1 || docker-compose version >/dev/null 2>&1 ||
  fail "docker compose is missing here: the package docker-compose-plugin has it, or docker-compose"

# The user that releases may use Docker, which is as good as root.
id "$user" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --password '*' "$user"
usermod -aG docker "$user"
home_of() { getent passwd "$1" | cut -d : -f 6; }
home=$(home_of "$user")
own() { install -o "$user" -g "$(id -gn "$user")" "$@"; }

# May log in as this user: the job with its key, and whoever may log in as the user who runs this.
own -d -m 700 "$home/.ssh"
keys=$home/.ssh/authorized_keys
[ -e "$keys" ] || own -m 600 /dev/null "$keys"
allow() { grep -qxF -e "$1" "$keys" || printf '%s\n' "$1" >>"$keys"; }
[ -z "$(tail -c 1 "$keys")" ] || echo >>"$keys"
allow "$key"
from=$(home_of "${SUDO_USER:-root}")/.ssh/authorized_keys
if [ -e "$from" ] && [ "$from" != "$keys" ]; then
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in '' | '#'* | *command=*) ;; *) allow "$line" ;; esac
  done <"$from"
fi

# The project's directory, and a place for its secrets.
own -d -m 755 "$directory" "$directory/nginx"
[ -e "$directory/.env" ] || own -m 600 /dev/null "$directory/.env"
echo "$user may use Docker here and release into $directory"
