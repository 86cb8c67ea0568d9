# Puts the env file in its place, whole or not at all, and keeps the previous one. stdin: the plan, then the content; for
# a rollback the content that the version had is used again, if it is still there. Words: the file, version, rollback or
# '', the version that is live or ''.
stage
rm -f "$state/env/before" "$state/env/absent"   # an earlier release's, which undoing must not take for this one's
journal env-file begin || fail "the journal can't be written"
file=$1 version=$2 rollback=$3 live=$4
mkdir -p "$state/env" || fail "$state/env can't be made"
cat > "$state/env/next" || fail "$state/env can't be written"
if [ -n "$rollback" ]; then
  [ -s "$state/env/$version" ] || { rm -f "$state/env/next"; journal env-file end; exit 0; }
  cat "$state/env/$version" > "$state/env/next" || fail "$state/env can't be written"
fi
if [ -e "$file" ]; then
  cp -p "$file" "$state/env/before.next" && mv -f "$state/env/before.next" "$state/env/before" || fail "$file can't be kept"
else
  : > "$state/env/absent" || fail "$state/env can't be written"
fi
if [ -n "$live" ] && [ ! -e "$state/env/$live" ] && [ -e "$file" ]; then   # what was there before cutover's first
  cp "$file" "$state/env/$live" || fail "$file can't be kept"
fi
cp "$state/env/next" "$state/env/$version" && cp "$state/env/next" "$file.cutover-next" && chmod 600 "$file.cutover-next" &&
  { sync "$file.cutover-next" 2>/dev/null || sync; } && mv -f "$file.cutover-next" "$file" ||
  { rm -f "$file.cutover-next" "$state/env/$version"; fail "$file can't be written"; }
rm -f "$state/env/next"
journal env-file end
