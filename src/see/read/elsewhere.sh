# nginx outside of the compose project: in containers, and on the host itself. Names: wanted (a container that shall be it, or
# '': any, or the one on the host).
if [ -n "$wanted" ]; then
  ids=$(docker ps -q --no-trunc --filter "name=^/?$wanted\$" 2>/dev/null)
else
  ids=$(docker ps --no-trunc --format '{{.ID}} {{.Names}} {{.Image}}' 2>/dev/null | awk 'tolower($0) ~ /nginx|openresty/ { print $1 }')
fi
# shellcheck disable=SC2086 # ids are hexadecimal
[ -z "$ids" ] || say containers 0 "$(docker inspect $ids 2>/dev/null)"
[ -z "$wanted" ] || exit 0
PATH=$PATH:/usr/local/nginx/sbin:/usr/local/sbin:/usr/sbin:/sbin
its_master host:
[ -n "$master" ] || exit 0
title=$(tr '\000' ' ' < "/proc/$master/cmdline")
title=${title#nginx: master process }
program=${title%% *}
case $program in /*) ;; *) program=$(command -v nginx 2>/dev/null) ;; esac
say master 0 "$master $title"
say program 0 "$program"
say tee 0 "$(command -v tee)"
say host-version 0 "$("$program" -v 2>&1)"

# ask WORD…: nginx, as this user where that may signal it, else with the rights that sudo gives without asking
if [ "$(id -u)" = 0 ] || [ -O "/proc/$master" ]; then
  ask() { timeout 30 "$program" "$@"; }
else
  ask() { timeout 30 sudo -n "$program" "$@"; }
  if command -v sudo >/dev/null 2>&1; then say sudo 0 "$(timeout 30 sudo -n -l 2>/dev/null)"; else say sudo 1 ''; fi
fi
dump=$(ask -T 2>/dev/null) || { say host-dump 1 "$(ask -t 2>&1)"; exit 0; }
say host-dump 0 "$dump"

# what it reads elsewhere than below its own directory, links followed, and what lies beside that under an ending like it
main=$(printf '%s\n' "$dump" | sed -n 's/^# configuration file \(.*\):$/\1/p' | head -n 1)
below() { case $1 in "${main%/*}"/*) return 0 ;; esac; return 1; }
printf '%s\n' "$dump" | sed -n 's/^# configuration file \(.*\):$/\1/p' | head -n 500 | while read -r file; do
  real=$(readlink -f "$file" 2>/dev/null) && [ -f "$real" ] || continue
  below "$file" || say outside 0 "$file"
  below "$real" && continue
  for each in "$real" "${real%/*}"/*."${real##*.}"; do [ ! -f "$each" ] || say outside 0 "$each"; done
done
