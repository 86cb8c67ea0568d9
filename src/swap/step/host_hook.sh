# Runs the host's own command in the project's directory. Words: the command. Names: step, directory (the
# project's), seconds, version.
CUTOVER_VERSION=$version; export CUTOVER_VERSION
cd "$directory" || fail "$directory can't be entered"
begin "$step"
# what it leaves running in the background holds up nobody
timeout -k 2 "$seconds" "$@" 2>&1 </dev/null 8>&-
status=$?
case $status in 124|137) false ;; esac || fail "no end after $seconds s"
[ $status -eq 0 ] || fail "it ended with $status"
journal "$step" end
