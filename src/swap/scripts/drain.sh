# Waits until the workers that are leaving now have exited. Words: nginx's container, seconds.
# Each line: how many are left. Unlike the other steps it ends with its connection, and never keeps another one waiting.
journal drain begin || fail "the journal can't be written"
exec 8>&-
trap - HUP PIPE
nginx=$1 end=$(($(date +%s) + $2))
old=$(workers "$nginx" | awk '$2 == "leaving" { print $1 }')
while :; do
  now=" $(docker top "$nginx" -eo pid | tr '\n' ' ') "
  left=0
  for pid in $old; do case $now in *" $pid "*) left=$((left + 1)) ;; esac; done
  echo "$left"
  [ $left -gt 0 ] && [ "$(date +%s)" -lt "$end" ] || exit 0
  sleep 0.1
done
