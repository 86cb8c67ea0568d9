# Writes what is live beside the stack file. stdin: the text. Names: directory, name, mode. Words: files of which the first that is there
# says the `version` of both.
cd "$directory" || fail "$directory can't be entered"
version=''
for file in "$@"; do
  [ ! -f "$file" ] || { version=$(sed -n 's/^version:/&/p' "$file" | head -n 1); break; }
done
{ [ -z "$version" ] || printf '%s\n' "$version"; cat; } > "$state/stack.next" && chmod "$mode" "$state/stack.next" &&
  place "$state/stack.next" "$directory/$name" || fail "$directory/$name can't be written"
