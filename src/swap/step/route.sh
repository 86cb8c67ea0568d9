# Points nginx at other slots: its files, all or none, then test, reload, and proof that the old workers are leaving. stdin: the
# new texts, one behind the other.
# Names: step, files (a list: how it is written; the text's size, its digest, and digests that the file may have; its path),
# nginx (its container, or ''), seconds, back (`back` to undo, or ''), slots (a list: a new slot's container, which must
# still run, what nginx calls it, and the process of the old one or `-`).
# Prints nginx's addresses, and what each new slot and its old one have received: what follows is measured against that.
# conf.before lies in the state from the first change until nginx is known not to use what we wrote; of the second file it
# is called conf.before.2. conf.next, what is being written, lies there until it is.

number=0 at=0
# of_file HOW NUMBERS FILE: what is to be done with the next file, as variables
of_file() {
  number=$((number + 1)) how=$1 file=$3 from=$at n=''
  [ $number -eq 1 ] || n=.$number
  # shellcheck disable=SC2086 # numbers and digests
  set -- $2
  size=$1 wanted=$2; shift 2
  now=" $* " at=$((at + size))
}
# all FUNCTION: calls it with each file
all() { number=0 at=0; each "$files" "$1"; }

clean() {
  of_file "$@"
  rm -f "$state/conf.torn" "$state/conf.back$n"
  [ -n "$back" ] || rm -f "$state/conf.next$n"
  [ -n "$back" ] || [ "$(have "$how" "$file")" != "$(digest_of "$state/conf.before$n")" ] || rm -f "$state/conf.before$n"
}
# give_up TEXT: nothing of this attempt is left in the state; conf.before stays while the file may not be what it was
give_up() {
  why=$1
  all clean
  fail "$why"
}

# write: the text that this file shall have, which is another one than it has
write() {
  new=$state/conf.${back:-next}$n
  tail -c "+$((from + 1))" /proc/self/fd/0 | head -c "$size" > "$new" || give_up "$state can't be written"
  [ "$(digest_of "$new")" = "$wanted" ] || give_up "the new text of $file arrived incomplete"
  case "$now" in
    *" $have "*) ;;
    *) case "$back $how" in 'back in-place' | 'back sudo') ;; *) false ;; esac && is_torn "$file" "$n" || give_up "$file was changed by somebody else meanwhile" ;;
  esac
  case $how in in-place | sudo) sync "$state/conf.before$n" "$new" 2>/dev/null || sync ;; esac
}
is_there() {
  case $how in
    link) [ -L "$file" ] || give_up "$file is no link any more" ;;
    *) is_file "$file" || give_up "$file is no plain file: a link is not followed when it is written" ;;
  esac
}
# one copy of each file is what is looked at, kept and put back, whatever becomes of the file meanwhile
changed=''
prepare() {
  of_file "$@"
  is_there
  take "$how" "$file" "$state/conf.before$n" || { rm -f "$state/conf.before$n"; give_up "$state can't be written"; }
  have=$(digest_of "$state/conf.before$n")
  [ "$have" = "$wanted" ] || { write; changed="$changed $number "; }
}
put() {
  of_file "$@"
  case $changed in *" $number "*) ;; *) return ;; esac
  replace "$file" "$state/conf.next$n" "$how" && return
  why="$file can't be written"
  all take_back
  give_up "$why"
}
stuck=''
take_back() {
  of_file "$@"
  case $changed in *" $number "*) replace "$file" "$state/conf.before$n" "$how" || stuck=1 ;; esac
}
# undoing: a file whose conf.before is not there was never changed
undo() {
  of_file "$@"
  [ -e "$state/conf.before$n" ] || return
  is_there
  have=$(have "$how" "$file")
  [ "$have" = "$wanted" ] || { write && replace "$file" "$new" "$how"; } || give_up "$file can't be written"
  rm -f "$state/conf.back$n"
}
tidy() { of_file "$@"; rm -f "$state/conf.next$n" "$state/conf.torn"; }
forget() { of_file "$@"; rm -f "$state/conf.before$n"; }
touched=''
is_touched() { of_file "$@"; [ ! -e "$state/conf.before$n" ] || touched=1; }

ids='' count=0
add() { ids="$ids $1"; count=$((count + 1)); }
each "$slots" add
# of_slot NUMBER FIELDS: of what was seen of the new slots
of_slot() { printf '%s\n' "$running" | sed -n "$1p" | cut -d ' ' -f "$2"; }
if [ -n "$back" ]; then
  journal "$step" back 2>/dev/null   # a full disk must not keep the old version away
  all is_touched
  [ -n "$touched" ] || exit 0   # nothing was ever changed
  all undo
else
  begin "$step"
  container=$nginx
  ! on_host "$nginx" || container=''
  # shellcheck disable=SC2086 # ids are hexadecimal
  # of each new slot, then of nginx: whether it runs, its PID 1, its addresses
  seen=$(docker inspect -f \
    '{{.State.Running}} {{.State.Pid}}{{range .NetworkSettings.Networks}} {{.IPAddress}} {{.GlobalIPv6Address}}{{end}}' \
    $ids ${container:+"$container"}) || fail "the new slot or nginx is not there any more"
  running=$(printf '%s\n' "$seen" | head -n $count)
  case $running in *false*) fail "the new slot does not run any more" ;; esac
  seen=$(printf '%s\n' "$seen" | tail -n "+$((count + 1))")
  [ -z "$container" ] || master=$(printf '%s' "$seen" | cut -d ' ' -f 2)
  all prepare
  all put
fi
all tidy
if [ -n "$nginx" ]; then
  number=0 meant=''
  mean() {
    number=$((number + 1)) addresses=$(of_slot $number 3-)
    [ -n "$2" ] || return 0
    case $addresses in *[0-9a-f]*) ;; *) all take_back; give_up "the new slot does not run any more" ;; esac
    meant="$meant$2 $addresses$newline"
  }
  [ -n "$back" ] || each "$slots" mean
  why=$(reload "$nginx" "$seconds" "$meant" 2>&1); status=$?
  if [ $status -ne 0 ]; then
    # undoing, the files stay as they shall be: trying again is enough
    if [ -z "$back" ]; then
      all take_back
      [ -n "$stuck" ] || [ $status -ne 1 ] || all forget   # nginx took nothing
    fi
    fail "$(printf '%s\n' "$why" | grep -v '^@')"   # without what it said on its way
  fi
fi
if [ -n "$back" ]; then all forget; exit 0; fi
journal "$step" end
say nginx 0 "$(printf '%s' "$seen" | cut -d ' ' -f 3-)"
say reloaded 0 "${why:-}"
number=0
count_received() {
  number=$((number + 1))
  say received 0 "$1 $(counts "$(of_slot $number 2)") $(counts "$3")"
}
each "$slots" count_received
