# Points nginx at other slots: file, test, reload, and proof that the old workers are leaving. stdin: the new text.
# Words: step, file, the digests that it may have now, digest it shall have, how (rename or in-place), nginx's container or '', seconds.
step=$1 file=$2 now=$3 wanted=$4 how=$5 nginx=$6 seconds=$7
journal "$step" begin || fail "the journal can't be written"
cat > "$state/conf.next" || fail "$state can't be written"
[ "$(digest_of "$state/conf.next")" = "$wanted" ] || fail "the new text of $file arrived incomplete"
have=$(digest_of "$file") || fail "$file can't be read"
if [ "$have" != "$wanted" ]; then
  case " $now " in *" $have "*) ;; *) fail "$file was changed by somebody else meanwhile" ;; esac
  cat "$file" > "$state/conf.before" || fail "$state can't be written"
  replace "$file" "$state/conf.next" "$how" || fail "$file can't be written"
fi
rm -f "$state/conf.next"
if [ -n "$nginx" ]; then
  if ! why=$(reload "$nginx" "$seconds" 2>&1); then
    [ "$have" = "$wanted" ] || replace "$file" "$state/conf.before" "$how"
    fail "$why"
  fi
fi
journal "$step" end
