# Puts the env file in its place, whole or not at all, and keeps the previous one. stdin: the plan, then the content or the
# values. Names: file, version, mode: `whole`, `values` or `kept` (a rollback uses the content that the version had, if it is
# still there), live (the version that is live, or ''), first and last (the lines around the values in the file).
stage
rm -f "$state/env/before" "$state/env/absent"   # an earlier release's, which undoing must not take for this one's
begin env-file
[ ! -L "$file" ] || fail "$file is a link, which is not followed: name the file that it leads to in \`env-file: {path: …}\`"
[ ! -e "$file" ] || is_file "$file" || fail "$file is no plain file"
next=$state/env/next
mkdir -p "$state/env" || fail "$state/env can't be made"
: > "$next" || fail "$state/env can't be written"
case $mode in
  kept)
    [ -s "$state/env/$version" ] || { rm -f "$next"; journal env-file end; exit 0; }
    cat "$state/env/$version" > "$next" ;;
  values)
    if [ -e "$file" ]; then
      # a range without its end would take the rest of the file with it
      first=$first last=$last awk '$0 == ENVIRON["first"] { open = 1 }
        $0 == ENVIRON["last"] { if (!open) exit 1; open = 0 }
        END { exit open }' "$file" || fail "$file: only one of these lines is there: $first, $last"
      sed "/^$first\$/,/^$last\$/d" "$file" > "$next" || fail "$file can't be read"
      [ -z "$(tail -c 1 "$next")" ] || echo >> "$next"
    fi
    cat >> "$next" ;;
  *) cat > "$next" ;;
esac || fail "$state/env can't be written"
if [ -e "$file" ]; then
  cp -p "$file" "$state/env/before.next" && mv -f "$state/env/before.next" "$state/env/before" || fail "$file can't be kept"
else
  : > "$state/env/absent" || fail "$state/env can't be written"
fi
if [ -n "$live" ] && [ ! -e "$state/env/$live" ] && [ -e "$file" ]; then   # what was there before cutover's first
  cp "$file" "$state/env/$live" || fail "$file can't be kept"
fi
chmod 600 "$next" && place "$next" "$file" || fail "$file can't be written"
journal env-file end
