# Writes down that every host was confirmed: from here on the new version stays, also where this run ends.
[ -s "$state/journal.jsonl" ] || fail "the journal is gone"
journal confirm end || fail "the journal can't be written"
