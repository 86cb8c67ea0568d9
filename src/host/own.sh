# own_command WORDS…: runs the host's own command. Names: seconds, version.
own_command() {
  CUTOVER_VERSION=$version; export CUTOVER_VERSION
  # what it leaves running in the background holds up nobody
  timeout -k 2 "$seconds" "$@" 2>&1 </dev/null 8>&-
  status=$?
  case $status in 124|137) false ;; esac || fail "no end after $seconds s"
  [ $status -eq 0 ] || fail "it ended with $status"
}
