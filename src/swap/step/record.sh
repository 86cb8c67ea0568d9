# Writes the outcome into the history and ends the journal. stdin: the line; where it follows retire.sh in the same command, the
# seconds of that, $took, stand in it as 0.0. Words: images that need not be kept. Names: file (the
# env file that the release put there, or ''), version (the name that it is kept by), names (a list of those that stay).
if [ -n "$file" ] && [ -e "$file" ]; then
  mkdir -p "$state/env" && cp "$file" "$state/env/next" && mv -f "$state/env/next" "$state/env/$version" ||
    { rm -f "$state/env/next"; fail "$file can't be kept for a rollback"; }
fi
whole_lines "$state/history.jsonl" && sed "s/\"retire\":0\.0\([,}]\)/\"retire\":${took:-0.0}\1/" >> "$state/history.jsonl" && { sync "$state/history.jsonl" 2>/dev/null || sync; } || fail "the history can't be written"
rm -f "$state/journal.jsonl" "$state/conf.before" "$state"/conf.before.*
case $version in *~*) suffix=~${version##*~} ;; *) suffix='' ;; esac   # whose they are, if not of .env
kept=' before absent '   # the file of before the release, until the next
keep() { kept="$kept$1 "; }
each "$names" keep
if [ -n "$file" ]; then
  for each in "$state"/env/*; do
    case $each in *~*) [ "~${each##*~}" = "$suffix" ] || continue ;; *) [ -z "$suffix" ] || continue ;; esac
    case $kept in *" ${each##*/} "*) ;; *) rm -f "$each" ;; esac
  done
fi
for image in "$@"; do docker rmi "$image" >/dev/null 2>&1 && say pruned 0 "$image"; done
exit 0
