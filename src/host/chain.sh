# Runs scripts one after the other, each once the one before has ended well, for one round trip. stdin: all of them, each its
# command and then what it reads. Words: how many bytes come, then two numbers for each script: those of its command and of
# its stdin. What a script prints comes as one section, of the last one as it is; stderr has the words of the one that failed.
spool() { kept=$(mktemp /dev/shm/cutover.XXXXXXXXXX 2>/dev/null) || kept=$(mktemp) || exit 1; }
umask 077
spool; exec 3< "$kept" 4> "$kept"; rm -f "$kept"
timeout 600 head -c "$1" >&4 && [ "$(wc -c < /proc/self/fd/3)" -eq "$1" ] || { echo "the input arrived incomplete" >&2; exit 1; }
spool; exec 4> "$kept" 5< "$kept"; rm -f "$kept"
shift
# ticks: centiseconds since the host started
ticks() { IFS=' .' read -r second hundredths _ < /proc/uptime; ticks=$((second * 100 + 1$hundredths - 100)); }
at=1
# part SIZE: the next bytes of what came
part() { tail -c "+$at" /proc/self/fd/3 | head -c "$1"; }
while :; do
  command=$(part "$1"); at=$((at + $1))
  size=$2; shift 2
  [ $# -gt 0 ] || break
  ticks; began=$ticks
  out=$(part "$size" | eval "$command" 2>&4 3<&- 4>&- 5<&-); status=$?
  at=$((at + size))
  printf '@out %s %s\n%s\n' $status ${#out} "$out"
  [ $status -eq 0 ] || { cat <&5 >&2; exit $status; }
  cat <&5 > /dev/null
  ticks; took=$(((ticks - began) / 100)).$(printf '%02d' $(((ticks - began) % 100))); export took   # seconds
done
part "$size" | eval "$command" 3<&- 4>&- 5<&-
