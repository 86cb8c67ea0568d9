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
# its master: a process of the host's own, and of no container (proc_pid_status(5), NSpid)
for each in /proc/[0-9]*; do
  title=''
  { IFS= read -r title < "$each/cmdline"; } 2>/dev/null
  case $title in 'nginx: master process '*) ;; *) continue ;; esac
  # shellcheck disable=SC2046 # numbers
  set -- $(sed -n 's/^NSpid://p' "$each/status" 2>/dev/null)
  [ $# -le 1 ] || continue
  say master 0 "${each#/proc/} ${title#nginx: master process }"
  program=${title#nginx: master process }; program=${program%% *}
  case $program in /*) ;; *) program=$(command -v nginx 2>/dev/null) ;; esac
  say program 0 "$program"
  say host-version 0 "$("$program" -v 2>&1)"
  # as this user where that can read all; else with the rights that sudo gives without asking
  if dump=$(timeout 30 "$program" -T 2>/dev/null); then
    say host-dump 0 "$dump"
  elif dump=$(timeout 30 sudo -n "$program" -T 2>/dev/null); then
    say sudo 0 sudo
    say host-dump 0 "$dump"
  elif sudo -n -l "$program" -T >/dev/null 2>&1; then
    say sudo 0 sudo
    say host-dump 1 "$(timeout 30 sudo -n "$program" -t 2>&1)"
  else
    say host-closed 1 "$(timeout 30 "$program" -t 2>&1 | tail -n 3)"
  fi
  break
done
