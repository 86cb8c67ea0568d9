# Lets idle keep-alive connections outlive a reload. stdin: the file's text. Words: the file, nginx's container, seconds.
file=$1 nginx=$2 seconds=$3
journal guard begin || fail "the journal can't be written"
cat > "$state/guard.next" || fail "$state can't be written"
{ cat "$state/guard.next" > "$file.cutover-next" && chmod 644 "$file.cutover-next" && mv -f "$file.cutover-next" "$file"; } ||
  { rm -f "$file.cutover-next"; fail "$file can't be written"; }
rm -f "$state/guard.next"
if ! why=$(reload "$nginx" "$seconds" 2>&1); then
  rm -f "$file"
  fail "$why"
fi
journal guard end
