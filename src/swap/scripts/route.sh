# Points nginx at other slots: file, test, reload, and proof that the old workers are leaving. stdin: the new text.
# Words: step, file, the digests that it may have now, digest it shall have, how (rename or in-place), nginx's container or
# '', seconds, `back` to undo or '', the new slots' containers, which must still run.
# Prints nginx's addresses, and the connections that each new slot has accepted: what follows is measured against that.
# conf.before lies in the state from the first change until nginx is known not to use what we wrote.
step=$1 file=$2 now=$3 wanted=$4 how=$5 nginx=$6 seconds=$7 back=$8; shift 8
if [ -n "$back" ]; then
  journal "$step" back 2>/dev/null   # a full disk must not keep the old version away
  [ -e "$state/conf.before" ] || exit 0   # nothing was ever changed
else
  journal "$step" begin || fail "the journal can't be written"
  # of each new slot, then of nginx: whether it runs, its PID 1, its addresses
  seen=$(docker inspect -f \
    '{{.State.Running}} {{.State.Pid}}{{range .NetworkSettings.Networks}} {{.IPAddress}} {{.GlobalIPv6Address}}{{end}}' \
    "$@" ${nginx:+"$nginx"}) || fail "the new slot or nginx is not there any more"
  slots=$(printf '%s\n' "$seen" | head -n $#)
  case $slots in *false*) fail "the new slot does not run any more" ;; esac
  seen=$(printf '%s\n' "$seen" | tail -n "+$(($# + 1))")
  master=$(printf '%s' "$seen" | cut -d ' ' -f 2)
fi
have=$(digest_of "$file")
if [ "$have" != "$wanted" ]; then
  # a file written in place can be torn; that we kept it proves that it was ours
  case " $now " in
    *" $have "*) ;;
    *) [ "$back $how" = "back in-place" ] || fail "$file was changed by somebody else meanwhile" ;;
  esac
  cat > "$state/conf.next" || { rm -f "$state/conf.next"; fail "$state can't be written"; }
  [ "$(digest_of "$state/conf.next")" = "$wanted" ] || fail "the new text of $file arrived incomplete"
fi
if [ -z "$back" ]; then
  cat "$file" > "$state/conf.before" || { rm -f "$state/conf.before" "$state/conf.next"; fail "$state can't be written"; }
fi
if [ "$have" != "$wanted" ] && ! replace "$file" "$state/conf.next" "$how"; then
  [ -n "$back" ] || { replace "$file" "$state/conf.before" "$how" && rm -f "$state/conf.before"; }
  rm -f "$state/conf.next"
  fail "$file can't be written"
fi
rm -f "$state/conf.next"
if [ -n "$nginx" ]; then
  why=$(reload "$nginx" "$seconds" 2>&1); status=$?
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
printf '%s\n' "$slots" | while read -r _ pid _; do say opens 0 "$(opens "$pid")"; done
