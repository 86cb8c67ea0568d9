# Lets idle keep-alive connections outlive a reload. stdin: the file's text. Names: file, nginx (its container), seconds.
begin guard
cat > "$state/guard.next" || fail "$state can't be written"
chmod 644 "$state/guard.next" && place "$state/guard.next" "$file" ||
  { rm -f "$state/guard.next"; fail "$file can't be written"; }
if ! why=$(reload "$nginx" "$seconds" 2>&1); then
  rm -f "$file"
  fail "$why"
fi
journal guard end
