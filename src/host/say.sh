# What scripts share that print parts of their own, or go through lists.
LC_ALL=C; export LC_ALL
newline='
'

# say NAME STATUS TEXT: one framed section of output; in the locale C a length is in bytes
say() { printf '@%s %s %s\n%s\n' "$1" "$2" "${#3}" "$3"; }

# each LIST FUNCTION: calls it with the fields of each line of LIST, up to three with `|` between them. Nothing is written
# for that, since a disk may be full.
each() {
  lines=$1
  while [ -n "$lines" ]; do
    fields=${lines%%"$newline"*} lines=${lines#"$fields"} lines=${lines#"$newline"}
    one=${fields%%|*} fields=${fields#"$one"} fields=${fields#|}
    two=${fields%%|*} fields=${fields#"$two"}
    [ -z "$one" ] || "$2" "$one" "$two" "${fields#|}"
  done
}
