# shellcheck shell=bash
# Images built from Debian packages alone: root file systems as cached tarballs, the images on top of them, and a
# golden /var/lib/docker for each kind of instance, which holds all the service images.

# Debian's packages come from where this machine has its own from; elsewhere CUTOVER_LAB_MIRROR names a place.
MIRROR=${CUTOVER_LAB_MIRROR:-$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
  grep -v '^#' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ' || true)}
BENCH=$here/tests/lab/bench
# The kinds of instances that are made ready; the demo wants one of them.
KINDS=${CUTOVER_LAB_KINDS:-v2 v1}
MACHINE=openssh-server,docker.io,docker-compose,iproute2,iptables,ca-certificates,curl,procps
SMALL=base-files,dash,coreutils,sed,grep,findutils

# root NAME: suite, variant and packages of a root file system.
root() {
  case $1 in
    v2) echo "trixie apt $MACHINE,docker-cli,docker-buildx" ;;
    v1) echo "bookworm apt $MACHINE" ;;
    nginx-1.26) echo "trixie extract $SMALL,nginx-light,curl" ;;
    nginx-1.30) echo "sid extract $SMALL,nginx-light,curl" ;;
    redis) echo "trixie extract $SMALL,redis-server" ;;
    node) echo "trixie extract $SMALL,nodejs" ;;
  esac
}

root_tarball() { echo "$CUTOVER_LAB/roots/$1-$(root "$1" | key_of 2).tar.zst"; }

# shellcheck disable=SC2016 # the hooks' $1 is the new root
# Only the packages asked for, without documentation. A mirror may be frozen, so an old Release file is fine.
make_root() {
  local name=$1 tarball suite variant packages
  tarball=$(root_tarball "$name")
  [ -s "$tarball" ] && return
  read -r suite variant packages <<<"$(root "$name")"
  say "building the root file system $name ($suite: $packages)"
  mkdir -p "$CUTOVER_LAB/roots"
  if ! mmdebstrap --quiet --variant="$variant" --include="$packages" \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg --aptopt='Acquire::Check-Valid-Until "false"' \
    --aptopt='Acquire::Retries "3"' \
    --customize-hook='cd "$1" && rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info var/lib/apt/lists/*' \
    --customize-hook='ln -sf dash "$1/usr/bin/sh"' \
    "$suite" "$tarball.part.tar" ${MIRROR:+"$MIRROR"} >"$RUN/root-$name.log" 2>&1; then
    tail -20 "$RUN/root-$name.log" >&2
    return 1
  fi
  zstd -q -f -3 --rm "$tarball.part.tar" -o "$tarball.part"
  mv "$tarball.part" "$tarball"
}

make_roots() {
  local pids=() pid kind
  for kind in $KINDS; do make_root "$kind" 9>&- & pids+=($!); done
  { make_root redis && make_root node && make_root nginx-1.30 && make_root nginx-1.26; } 9>&- & pids+=($!)
  for pid in "${pids[@]}"; do wait "$pid" || die "a root file system could not be built"; done
}

# context ROOT: the directory with the Dockerfile that goes on top of it.
context() { case $1 in v1 | v2) echo instance ;; nginx-*) echo nginx ;; *) echo "$1" ;; esac; }

image_key() { tree_of "$BENCH/$(context "$1")" | key_of "$(root_tarball "$1")"; }

image() { echo "cutover-lab/$1:$(image_key "$1")"; }

make_image() {
  local name=$1 image; image=$(image "$name")
  docker image inspect "$image" >/dev/null 2>&1 && return
  make_root "$name"
  say "building the image $name"
  zstd -qdc "$(root_tarball "$name")" | docker import - "cutover-lab/root:$name" >/dev/null
  docker build -q --build-arg "ROOT=cutover-lab/root:$name" -t "$image" "$BENCH/$(context "$name")" \
    >"$RUN/build.log" 2>&1 || { cat "$RUN/build.log" >&2; return 1; }
}

# The service images: root, then the name it has on an instance.
services() {
  printf '%s\n' 'nginx-1.26 nginx:1.26' 'nginx-1.30 nginx:1.30' 'nginx-1.30 nginx:latest' 'redis redis:6.2.5' \
    'node lab/node:latest'
}

service_keys() { services | while read -r root name; do echo "$name $(image "$root")"; done; }

# Pushed once per content; the tags a test may ask for are there too.
push_services() {
  local root name mark
  mark=$CUTOVER_LAB/registry/pushed-$(service_keys | key_of)
  [ -e "$mark" ] && return
  say "pushing the service images to the registry"
  services | while read -r root name; do
    docker tag "$(image "$root")" "$name"
    docker tag "$(image "$root")" "$REGISTRY/${name}"
    docker push -q "$REGISTRY/${name}" >/dev/null
  done
  touch "$mark"
}

# What a stand-in host runs nginx from: the files of its image.
nginx_root() { echo "$CUTOVER_LAB/nginx-root-$(image_key nginx-1.30)"; }

make_nginx_root() {
  local root container; root=$(nginx_root)
  [ -d "$root" ] && return
  say "unpacking nginx for stand-in hosts"
  rm -rf "$CUTOVER_LAB"/nginx-root-*
  mkdir -p "$root.part"
  container=$(docker create "$(image nginx-1.30)")
  docker export "$container" | tar -C "$root.part" -xf -
  docker rm "$container" >/dev/null
  mv "$root.part" "$root"
}

golden() { echo "$CUTOVER_LAB/golden/$1-$(service_keys | key_of "$(image "$1")")"; }

goldens_ready() {
  local kind key; key=$(goldens_key)
  for kind in $KINDS; do [ "$(cat "$RUN/golden-$kind" 2>/dev/null)" = "$key" ] || return 1; done
}

# What the goldens are made of, cheap enough to ask at every call.
goldens_key() { { tree_of "$BENCH"; } | key_of; }

# An instance with an empty /var/lib/docker pulls everything once; its store is then what new instances start from.
make_golden() {
  local kind=$1 store name; store=$(golden "$kind"); name=golden-$kind
  [ -d "$store" ] && return
  say "filling the golden docker store of kind $kind"
  rm -rf "$CUTOVER_LAB/golden/$kind-"*
  instance_stop "$name"
  instance_start_from '' "$name" --kind "$kind" >/dev/null
  services | while read -r _ service; do
    instance_exec "$name" sh -c "docker pull -q $REGISTRY/$service && docker tag $REGISTRY/$service $service &&
      docker rmi $REGISTRY/$service" </dev/null >/dev/null
  done
  docker stop -t 30 "lab-$name" >/dev/null
  mkdir -p "$CUTOVER_LAB/golden"
  mv "$(instance_dir "$name")/docker" "$store"
  instance_stop "$name"
}

build_images() {
  local name missing='' all; all=(node redis nginx-1.26 nginx-1.30)
  # shellcheck disable=SC2206 # names of kinds
  all+=($KINDS)
  for name in "${all[@]}"; do
    docker image inspect "$(image "$name")" >/dev/null 2>&1 || missing=1
  done
  if [ -n "$missing" ]; then
    make_roots
    for name in "${all[@]}"; do make_image "$name"; done
    docker image prune -f >/dev/null
  fi
  push_services
  for name in $KINDS; do
    make_golden "$name"
    goldens_key >"$RUN/golden-$name"
  done
}
