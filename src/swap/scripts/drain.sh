# Waits until nginx's old workers have exited. Words: nginx's container, seconds, the workers' processes.
# Each line: how many are left. Unlike the other steps it ends with its connection, and never keeps another one waiting.
journal drain begin || fail "the journal can't be written"
exec 8>&-
trap - HUP PIPE
nginx=$1 end=$(($(date +%s) + $2)); shift 2
while :; do
  now=" $(docker top "$nginx" -eo pid | tr '\n' ' ') "
  left=0
  for pid in "$@"; do case $now in *" $pid "*) left=$((left + 1)) ;; esac; done
  echo "$left"
  [ $left -gt 0 ] && [ "$(date +%s)" -lt "$end" ] || exit 0
  sleep 0.1
done
