#!/bin/sh
# Installs cutover into ~/.local/bin, or the version and place that are named:
#   curl -fsSL https://github.com/cutover-release/cutover/releases/latest/download/install.sh | sh
#   … | sh -s -- --version v1.2.3 --to /usr/local/bin
# It checks the file's SHA-256, and where `gh` or `cosign` is there, that the file was built by the repository's own
# release workflow (--no-provenance leaves that out). It asks for no password and writes nothing else.
# POSIX sh, with curl or wget, and tar: also BusyBox's.
set -eu

repository=cutover-release/cutover
releases=${CUTOVER_RELEASES:-https://github.com/$repository/releases}

say() { printf 'install cutover: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

target() {
  case $(uname -s)-$(uname -m) in
    Linux-x86_64 | Linux-amd64) echo x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) echo aarch64-unknown-linux-musl ;;
    Darwin-arm64) echo aarch64-apple-darwin ;;
    Darwin-x86_64) echo x86_64-apple-darwin ;;
    MINGW* | MSYS* | CYGWIN*) fail "cutover runs on Linux and macOS; on Windows install it inside WSL" ;;
    *) fail "there is no binary for $(uname -sm); build it: cargo install --locked cutover" ;;
  esac
}

# fetch ADDRESS FILE
fetch() {
  if has curl; then
    curl -fsSL --retry 3 --connect-timeout 10 -o "$2" -- "$1" 2>"$work/said"
  elif has wget; then
    # no -T: BusyBox 1.35 crashes on it
    wget -q -O "$2" "$1" 2>"$work/said"
  else
    fail "neither curl nor wget is here"
  fi || fail "$1 can't be fetched: $(why)"
}

why() {
  said=$(tail -n 1 "$work/said")
  printf '%s' "${said:-no such file there, or no connection}"
}

sha256() {
  if has sha256sum; then sha256sum <"$1"
  elif has shasum; then shasum -a 256 <"$1"
  else openssl dgst -sha256 -r <"$1" 2>/dev/null || fail "none of sha256sum, shasum and openssl is here to check the file with"
  fi | cut -c1-64
}

# The name of the archive for this machine in the list of sums; the version is part of it.
archive_in() {
  sed -n "s/^[0-9a-f]\{64\}  \(cutover-[0-9A-Za-z.+-]*-$target\.tar\.gz\)\$/\1/p" "$1" | head -n 1
}

check_sum() {
  wanted=$(sed -n "s/^\([0-9a-f]\{64\}\)  $1\$/\1/p" "$work/SHA256SUMS")
  [ "$(sha256 "$work/$1")" = "$wanted" ] || fail "$1 is not what the release says it is (SHA-256 differs); nothing was installed"
}

# Who built it, by the signature that the release workflow left in a public log.
check_provenance() {
  if has gh && gh attestation verify --help >/dev/null 2>&1; then checker=gh
  elif has cosign; then checker=cosign
  else proof="Its SHA-256 is right; who built it was not checked, which takes gh 2.50 or newer, or cosign"; return
  fi
  bundle=cutover-$version.sigstore.json
  fetch "$releases/download/v$version/$bundle" "$work/$bundle"
  "by_$checker" "$work/$1" "$work/$bundle" >"$work/said" 2>&1 ||
    fail "$checker does not confirm that $repository built $1: $(why). Nothing was installed; --no-provenance leaves this check out"
  proof="Its SHA-256 is right, and $checker confirms that $repository built it"
}

by_gh() {
  gh attestation verify "$1" --bundle "$2" --repo "$repository" --signer-workflow "$repository/.github/workflows/release.yml"
}

by_cosign() {
  cosign verify-blob-attestation --new-bundle-format --bundle "$2" --type slsaprovenance1 \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-identity-regexp "^https://github.com/$repository/\.github/workflows/release\.yml@refs/heads/" "$1"
}

# The binary is tried where it will be, under another name, and only then takes the place of an older one.
put() {
  mkdir -p "$to" 2>"$work/said" || fail "$to can't be made: $(why); --to names another directory"
  part=$to/.cutover.$$
  (umask 022 && tar -xzOf "$work/$1" "${1%.tar.gz}/cutover" >"$part" && chmod 755 "$part") 2>"$work/said" ||
    fail "$to/cutover can't be written: $(why); --to names another directory"
  said=$("$part" --version 2>"$work/said") || fail "the binary does not run from $to: $(why)"
  mv -f "$part" "$to/cutover" 2>"$work/said" || fail "$to/cutover can't be written: $(why)"
  say "$said is at $to/cutover. $proof"
}

how_to_call_it() {
  found=$(command -v cutover || true)
  case $found in
    "$to/cutover") ;;
    '') say "$to is not in the PATH. In this shell: export PATH=\"$to:\$PATH\"; for good: that line in ~/.profile" ;;
    *) say "\`cutover\` is still $found, which comes first in the PATH" ;;
  esac
}

clean_up() { rm -rf "$work"; [ -z "$part" ] || rm -f "$part"; }

main() {
  version='' to=${HOME:+$HOME/.local/bin} provenance=yes part='' proof='Its SHA-256 is right'
  while [ $# -gt 0 ]; do
    case $1 in
      --version | --to)
        [ -n "${2-}" ] || fail "$1 wants a word after it"
        case $1 in --to) to=$2 ;; *) version=${2#v} ;; esac
        shift 2
        ;;
      --no-provenance) provenance=''; shift ;;
      *) fail "unknown: $1. There are --version vX.Y.Z, --to DIRECTORY and --no-provenance" ;;
    esac
  done
  case $version in *[!0-9A-Za-z.+-]*) fail "$version is not a version, such as v1.2.3" ;; esac
  [ -n "$to" ] || fail "there is no HOME; --to names a directory"
  has tar || fail "there is no tar here"
  target=$(target)
  work=$(mktemp -d)
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  if [ -n "$version" ]; then from=$releases/download/v$version; else from=$releases/latest/download; fi
  fetch "$from/SHA256SUMS" "$work/SHA256SUMS"
  archive=$(archive_in "$work/SHA256SUMS")
  [ -n "$archive" ] || fail "$from has no binary for $target"
  version=${archive#cutover-} && version=${version%"-$target.tar.gz"}
  fetch "$releases/download/v$version/$archive" "$work/$archive"
  check_sum "$archive"
  [ -z "$provenance" ] || check_provenance "$archive"
  put "$archive"
  how_to_call_it
}

# The last line: a script that was cut off on its way here does nothing.
main "$@"
