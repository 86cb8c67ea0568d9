# What every step starts with; before it come the functions of a fenced script.
trap '' HUP PIPE   # a cut connection must not split a step
umask 077
[ ! -g "${state%/*}" ] || umask 007   # a group shares it
whole
fence

# whole_lines FILE: what is added to it begins a line of its own, also where a crash tore its last one (or left NULs there)
whole_lines() { [ ! -s "$1" ] || [ "$(tail -c 1 "$1" | wc -l)" -eq 1 ] || echo >> "$1"; }

# journal STEP STATE: one line on disk before going on
journal() {
  [ -n "${journaled:-}" ] || { journaled=1; whole_lines "$state/journal.jsonl"; }
  printf '{"step":"%s","state":"%s"}\n' "$1" "$2" >> "$state/journal.jsonl" || return 1
  sync "$state/journal.jsonl" 2>/dev/null || sync
}

# begin STEP: what the step does comes after this line, on disk
begin() { journal "$1" begin || fail "the journal can't be written"; }

# confirmed: every host was confirmed; from here on the new version stays, also where this run ends
confirmed() {
  [ -s "$state/journal.jsonl" ] || fail "the journal is gone"
  journal confirm end || fail "the journal can't be written"
}

# stage: the journal's first line is the plan, which is the first line of stdin; the rest of stdin stays unread. There is a
# journal where its file is not empty; only this run's own is gone on with.
stage() {
  IFS= read -r plan || fail "the plan arrived incomplete"
  if [ -s "$state/journal.jsonl" ]; then
    IFS= read -r staged < "$state/journal.jsonl"
    case $staged in '{"id":"'"$holder"'",'*) return 0 ;; esac
    fail "$state/journal.jsonl is there, of another run; \`cutover recover\` sees to it"
  fi
  printf '%s\n' "$plan" > "$state/journal.next" && { sync "$state/journal.next" 2>/dev/null || sync; } &&
    mv "$state/journal.next" "$state/journal.jsonl" || fail "the journal can't be written"
}

# What a container has mounted its root can change at any moment: links, queues and devices in the place of files, and
# names that are foreseen. So such a place is written by `place` and read by `fetch` alone.

# is_file FILE: it is a file itself, and not what a link leads to
is_file() { [ -f "$1" ] && [ ! -L "$1" ]; }

# fetch FILE TO: copies a file into the state directory. The copy is what is looked at, kept and put back.
fetch() { is_file "$1" && timeout 20 cat "$1" > "$2"; }

# place NEW FILE: NEW, of the state directory, becomes FILE as a whole or not at all, with NEW's mode. The name beside FILE is
# one that nobody foresees; what has it already is neither opened nor followed (link(2), O_EXCL), nor is what FILE is.
place() {
  { sync "$1" 2>/dev/null || sync; }
  rm -f "${2%/*}"/.cutover-next-*   # of a run that was killed
  beside="${2%/*}/.cutover-next-$(mktemp -u XXXXXXXXXXXX)" || return 1
  if ln "$1" "$beside" 2>/dev/null || new_file "$1" "$beside"; then
    mv -fT "$beside" "$2" && rm -f "$1" "$beside" && return 0
  fi
  rm -f "$beside"
  return 1
}

# new_file FROM FILE: a copy on another filesystem, which nobody else has made
new_file() {
  mode=$(stat -c %a "$1") || return 1
  (umask "$(printf '%o' $((0777 & ~0$mode)))"; set -C; cat "$1" > "$2") 2>/dev/null
}

digest_of() { is_file "$1" && timeout 20 sha256sum "$1" | sed 's/^\\*\([0-9a-f]*\) .*/\1/'; }

# have HOW FILE: digest of what a file says; of a link (HOW is `link`), of where it leads
have() {
  if [ "$1" = link ]; then
    [ -L "$2" ] && leads=$(readlink "$2") && printf '%s' "$leads" | sha256sum | cut -d ' ' -f 1
  else
    digest_of "$2"
  fi
}
