# Sets a journal aside that can't be read, and what belongs to it. Prints its new name.
name="$state/journal.damaged-$(date -u +%Y%m%dT%H%M%SZ)"
[ ! -e "$name" ] || name=$name-$$
mv "$state/journal.jsonl" "$name" || fail "$state/journal.jsonl can't be set aside"
for file in "$state/conf.before" "$state"/conf.before.*; do
  [ ! -e "$file" ] || mv "$file" "$name.conf${file#"$state/conf.before"}" || fail "$file can't be set aside"
done
printf '%s\n' "$name"
