# Sets a journal aside that can't be read, and what belongs to it. Prints its new name.
name="$state/journal.damaged-$(date -u +%Y%m%dT%H%M%SZ)"
[ ! -e "$name" ] || name=$name-$$
mv "$state/journal.jsonl" "$name" || fail "$state/journal.jsonl can't be set aside"
[ ! -e "$state/conf.before" ] || mv "$state/conf.before" "$name.conf" || fail "$state/conf.before can't be set aside"
printf '%s\n' "$name"
