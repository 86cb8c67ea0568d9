# Reads compose projects in which slots are. Words: the directory, then files and project of each ('' as compose finds them).
cd "$1" 2>/dev/null || exit 0
shift
while [ $# -gt 0 ]; do
  say place 0 "$1"
  (
    [ -z "$1" ] || { COMPOSE_FILE=$1; export COMPOSE_FILE; }
    [ -z "$2" ] || { COMPOSE_PROJECT_NAME=$2; export COMPOSE_PROJECT_NAME; }
    read_compose
  )
  shift 2
done
