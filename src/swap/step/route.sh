# Points nginx at other slots: file, test, reload, and proof that the old workers are leaving. stdin: the new text.
# Names: step, file, now (digests that it may have), wanted (the one that it shall have), how (rename or in-place), nginx (its
# container, or ''), seconds, back (`back` to undo, or ''), slots (a list: a new slot's container, which must still run, what
# nginx calls it, and the process of the old one or `-`).
# Prints nginx's addresses, and what each new slot and its old one have received: what follows is measured against that.
# conf.before lies in the state from the first change until nginx is known not to use what we wrote.
# conf.next, what is being written, until it is.

# give_up TEXT: nothing of this attempt is left in the state; conf.before stays while the file may not be what it was
give_up() {
  rm -f "$state/conf.torn" "$state/conf.back"
  [ -n "$back" ] || rm -f "$state/conf.next"
  [ -n "$back" ] || [ "$(digest_of "$file")" != "$(digest_of "$state/conf.before")" ] || rm -f "$state/conf.before"
  fail "$1"
}

ids='' count=0
add() { ids="$ids $1"; count=$((count + 1)); }
each "$slots" add
# of_slot NUMBER FIELDS: of what was seen of the new slots
of_slot() { printf '%s\n' "$running" | sed -n "$1p" | cut -d ' ' -f "$2"; }
if [ -n "$back" ]; then
  journal "$step" back 2>/dev/null   # a full disk must not keep the old version away
  [ -e "$state/conf.before" ] || exit 0   # nothing was ever changed
else
  begin "$step"
  # shellcheck disable=SC2086 # ids are hexadecimal
  # of each new slot, then of nginx: whether it runs, its PID 1, its addresses
  seen=$(docker inspect -f \
    '{{.State.Running}} {{.State.Pid}}{{range .NetworkSettings.Networks}} {{.IPAddress}} {{.GlobalIPv6Address}}{{end}}' \
    $ids ${nginx:+"$nginx"}) || fail "the new slot or nginx is not there any more"
  running=$(printf '%s\n' "$seen" | head -n $count)
  case $running in *false*) fail "the new slot does not run any more" ;; esac
  seen=$(printf '%s\n' "$seen" | tail -n "+$((count + 1))")
  master=$(printf '%s' "$seen" | cut -d ' ' -f 2)
fi
is_file "$file" || fail "$file is no plain file: a link is not followed when it is written"
if [ -z "$back" ]; then
  # one copy is what is looked at, kept and put back, whatever becomes of the file meanwhile
  fetch "$file" "$state/conf.before" || { rm -f "$state/conf.before"; fail "$state can't be written"; }
  have=$(digest_of "$state/conf.before")
else
  have=$(digest_of "$file")
fi
if [ "$have" != "$wanted" ]; then
  new=$state/conf.${back:-next}
  cat > "$new" || give_up "$state can't be written"
  [ "$(digest_of "$new")" = "$wanted" ] || give_up "the new text of $file arrived incomplete"
  case " $now " in
    *" $have "*) ;;
    *) [ "$back $how" = "back in-place" ] && is_torn "$file" || give_up "$file was changed by somebody else meanwhile" ;;
  esac
  [ "$how" = rename ] || { sync "$state/conf.before" "$state/conf.next" 2>/dev/null || sync; }
fi
if [ "$have" != "$wanted" ] && ! replace "$file" "$new" "$how"; then
  [ -n "$back" ] || ! replace "$file" "$state/conf.before" "$how" || rm -f "$state/conf.before"
  give_up "$file can't be written"
fi
rm -f "$state/conf.next" "$state/conf.torn" "$state/conf.back"
if [ -n "$nginx" ]; then
  number=0 meant=''
  mean() { number=$((number + 1)); meant="$meant$2 $(of_slot $number 3-)$newline"; }
  [ -n "$back" ] || each "$slots" mean
  why=$(reload "$nginx" "$seconds" "$meant" 2>&1); status=$?
  if [ $status -ne 0 ]; then
    # undoing, the file stays as it shall be: trying again is enough
    if [ -z "$back" ] && { [ "$have" = "$wanted" ] || replace "$file" "$state/conf.before" "$how"; }; then
      [ $status -ne 1 ] || rm -f "$state/conf.before"   # nginx took nothing
    fi
    fail "$why"
  fi
fi
if [ -n "$back" ]; then rm -f "$state/conf.before"; exit 0; fi
journal "$step" end
say nginx 0 "$(printf '%s' "$seen" | cut -d ' ' -f 3-)"
say reloaded 0 "${why:-}"
number=0
count_received() {
  number=$((number + 1))
  say received 0 "$1 $(counts "$(of_slot $number 2)") $(counts "$3")"
}
each "$slots" count_received
