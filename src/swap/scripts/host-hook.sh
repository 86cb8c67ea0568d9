# Runs the host's own command in the project's directory. Words: step, the project's directory, seconds, version, the
# command.
step=$1 seconds=$3 CUTOVER_VERSION=$4; export CUTOVER_VERSION
cd "$2" || fail "$2 can't be entered"
shift 4
journal "$step" begin || fail "the journal can't be written"
# what it leaves running in the background holds up nobody
timeout -k 2 "$seconds" "$@" 2>&1 </dev/null 8>&-
status=$?
case $status in 124|137) false ;; esac || fail "no end after $seconds s"
[ $status -eq 0 ] || fail "it ended with $status"
journal "$step" end
