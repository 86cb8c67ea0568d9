# Runs the host's own command in the project's directory. Words: the command. Names: step, directory (the
# project's), seconds, version.
cd "$directory" || fail "$directory can't be entered"
begin "$step"
own_command "$@"
journal "$step" end
