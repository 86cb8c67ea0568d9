# shellcheck shell=bash
# What the scripts share: a machine that has what they need, and a lab that is left as it was found.
# To be sourced; sets `root` and goes there.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit
export CUTOVER_LAB=${CUTOVER_LAB:-$HOME/.cache/cutover-lab}

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { say "$*"; exit 1; }

# need GROUP…: the programs of these groups of scripts/programs
need() { scripts/programs install "$@" || die "programs are missing"; }

# A Rust toolchain as new as Cargo.toml asks for, with rustfmt and clippy.
need_rust() {
  local wanted have
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  PATH=$HOME/.cargo/bin:$PATH
  need build
  if ! command -v cargo >/dev/null; then
    say "installing Rust into ~/.cargo and ~/.rustup, with rustup (https://rustup.rs)"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
      sh -s -- -y -q --profile minimal --component clippy --component rustfmt --no-modify-path ||
      die "Rust could not be installed: install $wanted or newer yourself, see https://rustup.rs"
  fi
  have=$(rustc --version | cut -d ' ' -f 2)
  [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
    die "Rust $wanted or newer is needed, $have is here: rustup update stable"
}

target_directory() {
  cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}

lab_is_up() {
  local pid; pid=$(cat "$CUTOVER_LAB/run/docker.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]
}

# lab_begin: brings the lab up. lab_end: takes it down again, if it was not up before and nobody else uses it.
lab_begin() { lab_remember; scripts/lab up; }
lab_remember() {
  [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || die "the lab wants root, or a sudo that asks for no password"
  lab_was_up=; ! lab_is_up || lab_was_up=1
}
lab_end() {
  [ -z "${lab_was_up-1}" ] && [ -z "$(scripts/lab list)" ] || return 0
  scripts/lab down
}

# until_signal CMD…: runs it in a session of its own, so that a signal to this script ends all of it, and then this script
until_signal() {
  setsid "$@" </dev/null &
  local pid=$! status=0
  # shellcheck disable=SC2064 # the pid of now
  trap "stop_session $pid; exit 130" INT
  # shellcheck disable=SC2064
  trap "stop_session $pid; exit 143" TERM HUP
  wait "$pid" || status=$?
  trap - INT TERM HUP
  return $status
}

stop_session() {
  trap '' INT TERM HUP
  kill -TERM -- "-$1" 2>/dev/null
  for _ in $(seq 100); do kill -0 -- "-$1" 2>/dev/null || return 0; sleep 0.1; done
  kill -KILL -- "-$1" 2>/dev/null
}
