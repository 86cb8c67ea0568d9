# shellcheck shell=bash
# Instances: a container that is a machine of its own, with sshd, dockerd and an address.

instance_dir() { echo "$CUTOVER_LAB/instances/$1"; }

instance_list() { [ ! -d "$CUTOVER_LAB/instances" ] || ls "$CUTOVER_LAB/instances"; }

# Takes the first free address; call it under the lock, it reserves by writing the file.
reserve_address() {
  local dir=$1 n
  mkdir "$dir" 2>/dev/null || die "instance $(basename "$dir") exists: scripts/lab down $(basename "$dir")"
  for n in $(seq 10 250); do
    grep -qxF "198.18.0.$n" "$CUTOVER_LAB"/instances/*/address 2>/dev/null || break
  done
  echo "198.18.0.$n" >"$dir/address"
}

write_keys() {
  local dir=$1 address=$2 port=$3 type host=$2
  mkdir -p "$dir/machine"
  ssh-keygen -q -t ed25519 -N '' -C deploy@lab -f "$dir/key"
  cp "$dir/key.pub" "$dir/machine/authorized_keys"
  [ "$port" = 22 ] || host="[$address]:$port"
  for type in ed25519 ecdsa; do
    ssh-keygen -q -t $type -N '' -C '' -f "$dir/machine/ssh_host_${type}_key"
    echo "$host $(cut -d' ' -f1,2 "$dir/machine/ssh_host_${type}_key.pub")" >>"$dir/known_hosts"
  done
}

# Layers are never written to, so their files are hard links; all the rest of the store is a copy.
copy_store() {
  local from=$1 to=$2 layer
  mkdir -p "$to"
  [ -n "$from" ] || return 0
  tar -C "$from" --exclude './overlay2/*/diff' -cf - . | tar -C "$to" -xf -
  for layer in "$from"/overlay2/*/diff; do
    cp -al "$layer" "$to/overlay2/$(basename "$(dirname "$layer")")/"
  done
}

instance_start() {
  local kind=v2 previous=
  for word in "$@"; do
    case $previous in --kind) kind=$word ;; --stand-in) instance_start_from '' "$@"; return ;; esac
    previous=$word
  done
  instance_start_from "$(golden "$kind")" "$@"
}

instance_start_from() {
  local store=$1 name=${2:?a name} kind=v2 port=22 sshd='' stand_in='' dir address
  shift 2
  while [ $# -gt 0 ]; do
    case $1 in
      --kind) kind=$2 ;;
      --ssh-port) port=$2 ;;
      --sshd) sshd+="$2"$'\n' ;;
      --stand-in) stand_in=$2 ;;
      *) die "unknown flag $1" ;;
    esac
    shift 2
  done
  [[ $kind =~ ^v[12]$ && $name =~ ^[a-z0-9][a-z0-9-]*$ ]] || die "wrong kind or name: $kind $name"
  dir=$(instance_dir "$name")
  mkdir -p "$CUTOVER_LAB/instances"
  locked address reserve_address "$dir"
  address=$(cat "$dir/address")
  write_keys "$dir" "$address" "$port"
  printf 'Port %s\n%s' "$port" "$sshd" >"$dir/machine/sshd.conf"
  [ -z "$stand_in" ] || cp "$BENCH"/stand-in/* "$dir/machine/"
  copy_store "$store" "$dir/docker"
  instance_run "$name" "$kind" "$dir" "$address" || { instance_stop "$name"; die "instance $name did not start"; }
  printf '{"name":"%s","address":"%s","port":%s,"user":"deploy","key":"%s","known_hosts":"%s","kind":"%s"}\n' \
    "$name" "$address" "$port" "$dir/key" "$dir/known_hosts" "$kind" >"$dir/instance.json"
  own "$dir" "$dir/key" "$dir/known_hosts"
  cat "$dir/instance.json"
}

# Docker in docker without --privileged, which asks for more than some machines can give. With $stand_in there is none:
# that program is the instance's docker.
instance_run() {
  local name=$1 kind=$2 dir=$3 address=$4 cap flags=() words=()
  if [ -n "$stand_in" ]; then
    locked nginx-root make_nginx_root
    flags+=(-v "$(nginx_root):/nginx:ro" -v "$stand_in:/lab/docker:ro" --entrypoint /bin/bash)
    words=(/lab/machine)
  fi
  for cap in SYS_ADMIN NET_ADMIN SYS_PTRACE SYS_CHROOT MKNOD; do flags+=(--cap-add "$cap"); done
  for opt in seccomp=unconfined apparmor=unconfined systempaths=unconfined; do flags+=(--security-opt "$opt"); done
  [ ! -e /sys/fs/cgroup/cgroup.controllers ] || flags+=(--cgroupns host)
  docker run -d --name "lab-$name" --hostname "$name" --network lab --ip "$address" --stop-timeout 30 \
    -e "LAB_CGROUP=$(cgroup_of "$name")" "${flags[@]}" -v /sys/fs/cgroup:/sys/fs/cgroup:rw \
    -v "$dir/docker:/var/lib/docker" -v "$dir/machine:/lab" "$(image "$kind")" \
    "${words[@]}" >/dev/null 2>"$dir/run.log" || { cat "$dir/run.log" >&2; return 1; }
  instance_wait "$name"
}

cgroup_of() { echo "/cutover-lab-$1"; }

instance_wait() { wait_for 60 "instance $1 ($(instance_dir "$1")/machine/*.log)" test -e "$(instance_dir "$1")/machine/ready"; }

instance_show() { cat "$(instance_dir "${1:?a name}")/instance.json" 2>/dev/null || die "no instance $1"; }

instance_exec() { local name=${1:?a name}; shift; docker exec -i "lab-$name" "$@"; }

instance_restart_dockerd() {
  rm -f "$(instance_dir "${1:?a name}")/machine/ready"
  # shellcheck disable=SC2016 # expanded on the instance
  instance_exec "$1" sh -c 'kill "$(cat /run/docker.pid)"' </dev/null
  instance_wait "$1"
}

instance_reboot() {
  rm -f "$(instance_dir "${1:?a name}")/machine/ready"
  docker restart -t 30 "lab-$1" >/dev/null
  instance_wait "$1"
}

# A container that was paused on the instance can't end before it goes on (cgroup v1 and v2).
thaw() {
  find /sys/fs/cgroup -path "*$(cgroup_of "$1")/*" -name freezer.state -exec sh -c 'echo THAWED >"$1"' _ {} \; \
    -o -path "*$(cgroup_of "$1")/*" -name cgroup.freeze -exec sh -c 'echo 0 >"$1"' _ {} \; 2>/dev/null || true
}

instance_stop() {
  local name=$1 dir; dir=$(instance_dir "$1")
  thaw "$name"
  docker rm -f -v "lab-$name" >/dev/null 2>&1 || true
  find /sys/fs/cgroup -depth -type d -path "*$(cgroup_of "$name")*" -exec rmdir {} + 2>/dev/null || true
  rm -rf "$dir"
}

instance_sweep() {
  local name pid
  for name in $(instance_list); do
    pid=${name#t} pid=${pid%%-*}
    case $name in t[0-9]*-*) [ -d "/proc/$pid" ] || instance_stop "$name" ;; esac
  done
}
