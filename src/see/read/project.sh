# What compose says of a project, in this directory and under its variables.
# config_of WORD…: $config, and what compose warned of
config_of() {
  both=$({ warned=$("$@" config 2>&1 >&4 4>&-); status=$?; printf '\n-- warned --\n%s' "$warned"; exit $status; } 4>&1)
  status=$?
  warned=${both##*-- warned --} config=${both%
-- warned --*}
  return $status
}
# profiles_of WORD…: all profiles that the project's files have, with commas between them, into $profiles
profiles_of() {
  # shellcheck disable=SC2086 # COMPOSE_FILE has colons between its files
  profiles=$(IFS=:; grep -qs 'profiles:' ./*.yml ./*.yaml ${COMPOSE_FILE:-} && "$@" config --profiles 2>/dev/null)
  profiles=$(printf '%s' "$profiles" | tr '\n' ',')
}
# whole WORD…: the project as it is with all of them active
whole() { [ -z "$profiles" ] || say compose-whole 0 "$(COMPOSE_PROFILES=$profiles "$@" config 2>/dev/null)"; }
# warnings WORD…: those about variables that are not set, and where such variables stand
warnings() {
  case $warned in *' variable is not set'*) ;; *) return ;; esac
  say compose-warned 0 "$warned"
  [ -z "$profiles" ] || { COMPOSE_PROFILES=$profiles; export COMPOSE_PROFILES; }
  say compose-raw 0 "$("$@" config --no-interpolate 2>/dev/null)"
}
# absent: files of secrets and configs that are not there. What lies where this user can't look may be there all the same.
absent() {
  printf '%s\n' "$config" | sed -n "s/^  *file: [\"']\{0,1\}\(\/[^\"']*\).*/\1/p" | while IFS= read -r file; do
    place=$file
    until [ -e "$place" ] || [ -z "$place" ]; do place=${place%/*}; done
    [ "$place" = "$file" ] || [ ! -x "$place/" ] || say absent 0 "$file"
  done
}
read_compose() {
  if config_of docker compose; then
    say compose-v2 0 "$config"
    absent
    profiles_of docker compose
    whole docker compose
    warnings docker compose
  elif docker compose version >/dev/null 2>&1; then
    say compose-v2 1 "$warned"
  elif command -v docker-compose >/dev/null 2>&1; then
    if config_of docker-compose; then
      say compose-v1 0 "$config"
      absent
      profiles_of docker-compose
      whole docker-compose
      warnings docker-compose
    else
      say compose-v1 1 "$warned"
    fi
  else
    say compose-none 1 ''
  fi
}
