# Runs the host's own command in the directory of the stack file. Words: the command. Names: directory, seconds, version.
cd "$directory" || fail "$directory can't be entered"
own_command "$@"
