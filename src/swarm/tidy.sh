# Removes what a switch of nginx keeps while it is not over.
rm -f "$state/journal.jsonl" "$state/conf.before" "$state"/conf.before.* "$state"/conf.next* "$state/conf.torn"
