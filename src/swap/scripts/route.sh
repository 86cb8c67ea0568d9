# Points nginx at other slots: file, test, reload, and proof that the old workers are leaving. stdin: the new text.
# Words: step, file, the digests that it may have now, digest it shall have, how (rename or in-place), nginx's container or
# '', seconds, `back` to undo or '', the old slots' processes in one word, how many new slots, their containers, which must
# still run, and what nginx calls each.
# Prints nginx's addresses, and what each new slot and then each old one has received: what follows is measured against that.
# conf.before lies in the state from the first change until nginx is known not to use what we wrote.
# conf.next, what is being written, until it is.

# give_up TEXT: nothing of this attempt is left in the state; conf.before stays while the file may not be what it was
give_up() {
  rm -f "$state/conf.torn" "$state/conf.back"
  [ -n "$back" ] || rm -f "$state/conf.next"
  [ -n "$back" ] || [ "$(digest_of "$file")" != "$(digest_of "$state/conf.before")" ] || rm -f "$state/conf.before"
  fail "$1"
}

step=$1 file=$2 now=$3 wanted=$4 how=$5 nginx=$6 seconds=$7 back=$8 old=$9; shift 9
count=$1 ids=''; shift
for each in "$@"; do [ "$count" -eq 0 ] || { ids="$ids $each"; shift; count=$((count - 1)); }; done   # the names are left
if [ -n "$back" ]; then
  journal "$step" back 2>/dev/null   # a full disk must not keep the old version away
  [ -e "$state/conf.before" ] || exit 0   # nothing was ever changed
else
  journal "$step" begin || fail "the journal can't be written"
  # shellcheck disable=SC2086 # ids are hexadecimal
  # of each new slot, then of nginx: whether it runs, its PID 1, its addresses
  seen=$(docker inspect -f \
    '{{.State.Running}} {{.State.Pid}}{{range .NetworkSettings.Networks}} {{.IPAddress}} {{.GlobalIPv6Address}}{{end}}' \
    $ids ${nginx:+"$nginx"}) || fail "the new slot or nginx is not there any more"
  slots=$(printf '%s\n' "$seen" | head -n $#)
  case $slots in *false*) fail "the new slot does not run any more" ;; esac
  seen=$(printf '%s\n' "$seen" | tail -n "+$(($# + 1))")
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
  line=1
  for name in "$@"; do   # each name with its slot's addresses
    [ -n "$back" ] || set -- "$@" "$name" "$(printf '%s\n' "$slots" | sed -n "${line}p" | cut -d ' ' -f 3-)"
    shift; line=$((line + 1))
  done
  why=$(reload "$nginx" "$seconds" "$@" 2>&1); status=$?
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
printf '%s\n' "$slots" | while read -r _ pid _; do say received 0 "$(counts "$pid")"; done
for pid in $old; do say received 0 "$(counts "$pid")"; done
