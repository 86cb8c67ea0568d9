# Sees that new slots still run: ends with 3 and says which one where one has ended since it was started. Not being told is no
# proof of that. Words: for each its container, and how often that had been restarted when it was started.
while [ $# -ge 2 ]; do
  seen=$(docker inspect -f '{{.RestartCount}} {{.State.Status}}' "$1" 2>/dev/null) || exit 0
  [ "${seen%% *}" -le "$2" ] || { echo "$1"; exit 3; }
  case ${seen#* } in running | restarting | paused) ;; *) echo "$1"; exit 3 ;; esac
  shift 2
done
