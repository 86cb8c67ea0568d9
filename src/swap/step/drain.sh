# Waits until the workers that are leaving now have exited. Names: nginx (its container), seconds, how: `back` while putting
# back (in the journal a drain means that the new version stays), `confirm` to write down first that every host was confirmed.
# Each line: how many are left. Unlike the other steps it ends with its connection, and never keeps another one waiting.
if [ "$how" = confirm ]; then
  confirmed
  echo confirmed
fi
[ "$how" = back ] || begin drain
exec 8>&-
trap - HUP PIPE
clock
end=$((uptime + seconds)) tries=25
# not seeing the workers is no proof that they are gone
unseen() {
  tries=$((tries - 1))
  [ $tries -gt 0 ] || fail "nginx's workers can't be listed: $(processes "$nginx" 2>&1 | tail -n 1)"
  sleep 0.2
}
until all=$(workers "$nginx" 2>/dev/null) && [ -n "$all" ]; do unseen; done
old=$(printf '%s\n' "$all" | awk '$2 == "leaving" { print $1 }')
[ -n "$old" ] || { echo 0; exit 0; }
while :; do
  now=$(processes "$nginx" 2>/dev/null) || { unseen; continue; }
  now=" $(printf '%s' "$now" | tr '\n' ' ') "
  left=0
  for pid in $old; do case $now in *" $pid "*) left=$((left + 1)) ;; esac; done
  echo "$left"
  clock; [ $left -gt 0 ] && [ "$uptime" -lt "$end" ] || exit 0
  sleep 0.1
done
