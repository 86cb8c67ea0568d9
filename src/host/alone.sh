# One mutating script at a time on a host. Its file `busy`, in cutover's root there, names the step that runs now: process,
# when that began, and the second since the host started at which its time is over.
fail() { printf '%s\n' "$*" >&2; exit 1; }

# clock: whole seconds since the host started, into $uptime; the time of day may be put back meanwhile
clock() { IFS=' .' read -r uptime _ < /proc/uptime; }

# process PID: its session into $session, the tick at which it began into $born (proc_pid_stat(5))
process() {
  session='' born=''
  { IFS= read -r process < "/proc/$1/stat"; } 2>/dev/null || return 1
  # shellcheck disable=SC2086 # numbers
  set -- ${process##*) }
  session=$4; shift 19; born=$1
}

# waiting: called each second while another step runs
waiting() { :; }

# alone ROOT: takes `busy`, open as descriptor 8. A step of another run is waited for until its time is over, then ended.
alone() {
  flock -n 8 && return
  clock; latest=$((uptime + 180))   # of a step that does not say how long it may take
  until flock -w 1 8; do
    writer='' since='' over=''
    { read -r writer since over < "$1/busy"; } 2>/dev/null
    case $over in '' | *[!0-9]*) over=$latest ;; esac
    waiting
    clock; [ "$uptime" -lt "$over" ] || { end_step; return; }
  done
}

# end_step: ends everything that $writer has started, if that is still the process that took `busy`. Each command over SSH is
# a session of its own; process groups it may have several.
end_step() {
  if process "${writer:-none}" && [ "$born" = "$since" ]; then
    of=$session
    for signal in TERM KILL; do
      for each in /proc/[0-9]*; do
        process "${each#/proc/}" && [ "$session" = "$of" ] && kill -$signal "${each#/proc/}" 2>/dev/null
      done
      flock -w 5 8 && return
    done
  fi
  fail "a step of an earlier run (process ${writer:-unknown}) does not end on this host"
}
