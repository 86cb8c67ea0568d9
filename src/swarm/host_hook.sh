# Runs the host's own command in the directory of the stack file. Words: the command. Names: directory, seconds, version.
CUTOVER_VERSION=$version; export CUTOVER_VERSION
cd "$directory" || fail "$directory can't be entered"
# what it leaves running in the background holds up nobody
timeout -k 2 "$seconds" "$@" 2>&1 </dev/null 8>&-
status=$?
case $status in 124|137) fail "no end after $seconds s" ;; esac
[ $status -eq 0 ] || fail "it ended with $status"
