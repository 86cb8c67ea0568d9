# shellcheck shell=bash disable=SC2016,SC2154
# The machine of scripts/fresh: namespaces of its own around a file system. All that it mounts, runs and listens on is gone
# with its first process. To be sourced; $work and $cgroup are set.

group=cutover-fresh-$$
first=''  # the process that holds the machine, a child of this shell
network='' # the process that is its way out

# machine_start ROOT TOOLCHAIN: TOOLCHAIN is where it sees the outer machine's $sysroot
machine_start() {
  rm -f "$work/pid"
  (
    join_cgroups "$BASHPID"
    exec setpriv --pdeathsig KILL unshare --mount --uts --ipc --net --pid --cgroup --fork --kill-child \
      bash -c '. "$0"; machine_main "$@"' "$PWD/scripts/fresh-machine.sh" "$work" "$1" "$2" "$sysroot" "$cgroup"
  ) </dev/null &
  first=$!
  for _ in $(seq 300); do [ ! -s "$work/pid" ] || break; kill -0 $first 2>/dev/null || break; sleep 0.1; done
  [ -s "$work/pid" ] || { say "the machine did not start"; return 1; }
  # A way out in user space: neither routes nor rules of the outer machine change.
  setpriv --pdeathsig KILL slirp4netns --configure --mtu=1500 --disable-host-loopback "$(cat "$work/pid")" tap0 >"$work/network.log" 2>&1 </dev/null &
  network=$!
  for _ in $(seq 100); do enter test -e /ready && return; sleep 0.1; done
  tail -n 5 "$work/network.log" >&2
  say "the machine has no network"
  return 1
}

# enter WORDS…: on the machine, as root
enter() {
  (
    join_cgroups "$BASHPID"
    exec nsenter -t "$(cat "$work/pid")" --mount --uts --ipc --net --pid --cgroup --root env -C / "$@"
  )
}

# machine_run AS HOME COMMAND
machine_run() {
  local settings
  mapfile -t settings <"$work/settings"
  enter runuser -u "$1" -- env -i "HOME=$2" "USER=$1" "LOGNAME=$1" LANG=C.UTF-8 "${settings[@]}" \
    "PATH=$2/.cargo/bin:/usr/local/bin:/usr/bin:/bin$([ "$1" != root ] || echo :/usr/sbin:/sbin)" \
    bash -c "cd ~/cutover && $3" </dev/null
}

machine_stop() {
  local pid each
  [ -n "$first" ] || return 0
  pid=$(cat "$work/pid" 2>/dev/null || true)
  [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
  for each in $first $network; do
    kill -KILL "$each" 2>/dev/null || true
    wait "$each" 2>/dev/null || true
  done
  first='' network=''
  # Its processes are gone a moment after the first.
  for each in $(seq 50); do
    ! remove_cgroups "$group" || break
    sleep 0.1
  done
}

# remove_cgroups NAME: says whether they are all gone
remove_cgroups() {
  find /sys/fs/cgroup -depth -type d \( -name "$1" -o -path "*/$1/*" \) -exec rmdir {} + 2>/dev/null || true
  [ -z "$(find /sys/fs/cgroup -type d -name "$1" 2>/dev/null)" ]
}

# What a run left that was killed itself: its processes are gone with it, its files and groups are not.
machine_sweep() {
  local each pid
  for each in "$1".*; do
    pid=${each#"$1".}
    pid=${pid%%.*}
    if [ ! -d "$each" ] || [ -d "/proc/$pid" ]; then continue; fi
    rm -rf --one-file-system "$each"
    remove_cgroups "cutover-fresh-$pid" || true
  done
}

# join_cgroups PID: a process into groups of the machine's own, below those of this shell; it will see them as the topmost
join_cgroups() {
  local place kind options below mounts
  mounts=$(cat /proc/mounts)
  while read -r _ place kind options _; do
    case $kind in cgroup | cgroup2) ;; *) continue ;; esac
    below=$place$(own_cgroup "$kind" "$options")
    [ -d "$below" ] || below=$place
    below=${below%/}/$group
    mkdir -p "$below"
    if [ -e "$below/cpuset.cpus" ] && [ "$kind" = cgroup ] && [ -z "$(cat "$below/cpuset.cpus")" ]; then
      cat "$below/../cpuset.cpus" >"$below/cpuset.cpus"
      cat "$below/../cpuset.mems" >"$below/cpuset.mems"
    fi
    echo "$1" >"$below/cgroup.procs"
  done <<<"$mounts"
}

# own_cgroup KIND OPTIONS: this shell's group in the hierarchy that is mounted so
own_cgroup() {
  local controllers path
  while IFS=: read -r _ controllers path; do
    case $1,$2, in
      cgroup2,*) [ -n "$controllers" ] || echo "$path" ;;
      *",$controllers,"*) [ -z "$controllers" ] || echo "$path" ;;
    esac
  done <"/proc/$$/cgroup"
}

# machine_main WORK ROOT TOOLCHAIN SYSROOT CGROUP: the machine's first process
machine_main() {
  local outer root=$2
  read -r outer _ </proc/self/stat # the outer /proc still: its number out there
  hostname fresh
  ip link set lo up
  mount --bind "$root" "$root"
  cd "$root" || exit
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount_devices dev
  mount -t tmpfs -o mode=755 tmpfs run
  mount --bind "$4" ".$3"
  mount -o remount,bind,ro ".$3"
  mount_cgroups sys/fs/cgroup "$5"
  printf 'nameserver 10.0.2.3\n' >etc/resolv.conf
  printf '127.0.0.1 localhost fresh\n' >etc/hosts
  mkdir -p .outer
  echo "$outer" >"$1/pid"
  pivot_root . .outer
  cd / || exit
  umount -l /.outer
  rmdir /.outer
  until grep -q '^tap0[[:space:]]*00000000' /proc/net/route; do sleep 0.1; done
  touch /ready
  # Those whose parents end become its children; it ends when it is killed.
  while :; do sleep 1000 & wait $!; done
}

mount_devices() {
  local each
  mount -t tmpfs -o mode=755 tmpfs "$1"
  for each in null zero full random urandom tty fuse net/tun; do
    [ -e "/dev/$each" ] || continue
    mkdir -p "$(dirname "$1/$each")"
    touch "$1/$each"
    mount --bind "/dev/$each" "$1/$each"
  done
  mkdir "$1/pts" "$1/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$1/pts"
  mount -t tmpfs -o mode=1777 tmpfs "$1/shm"
  ln -s pts/ptmx "$1/ptmx"
  ln -s /proc/self/fd "$1/fd"
  ln -s /proc/self/fd/0 "$1/stdin"
  ln -s /proc/self/fd/1 "$1/stdout"
  ln -s /proc/self/fd/2 "$1/stderr"
}

# As the outer machine has them, or v2 alone.
mount_cgroups() {
  local into=$1 place kind options mounts
  mounts=$(cat /proc/mounts) # it changes below
  if [ "$2" = 2 ] || [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 "$into"
    # A group with processes of its own gives no controllers to others.
    mkdir "$into/init"
    echo 1 >"$into/init/cgroup.procs"
    sed 's/\([a-z]\)\([a-z]*\)/+\1\2/g' "$into/cgroup.controllers" >"$into/cgroup.subtree_control" || true
    return
  fi
  mount -t tmpfs -o mode=755 tmpfs "$into"
  while read -r _ place kind options _; do
    [ "$kind" = cgroup ] || continue
    options=$(tr ',' '\n' <<<"$options" | grep -vE '^(rw|ro|nosuid|nodev|noexec|relatime|xattr|release_agent=.*|clone_children)$' | paste -sd,)
    mkdir -p "$into/$(basename "$place")"
    case $options in name=*) options=none,$options ;; esac
    mount -t cgroup -o "$options" cgroup "$into/$(basename "$place")"
  done <<<"$mounts"
}

# A Docker of the user's own, with a container that runs; what it has and the rules of the machine's firewall are remembered.
machine_own_docker() {
  say "a Docker of the user's own"
  enter bash -ec '
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq -y --no-install-recommends install docker.io iptables ca-certificates >/dev/null 2>&1
    command -v docker >/dev/null || apt-get -qq -y --no-install-recommends install docker-cli >/dev/null 2>&1
    dockerd >/var/log/dockerd.log 2>&1 &
    for n in $(seq 300); do docker version >/dev/null 2>&1 && break; sleep 0.1; done
    tar -C / -c bin lib lib64 usr/bin usr/lib usr/lib64 | docker import - own >/dev/null
    docker run -d --name own own sleep infinity >/dev/null
    docker ps -q --no-trunc >/own-before
    [ -s /own-before ]
    iptables-save | grep -v "^[#:]" >/own-rules' </dev/null || { say "it did not start"; return 1; }
}

machine_own_docker_is_well() {
  enter bash -ec '
    docker ps -q --no-trunc | cmp - /own-before
    [ "$(docker image ls -q | wc -l)" = 1 ]
    iptables-save | grep -v "^[#:]" | diff /own-rules -' </dev/null ||
    { say "the Docker of the user's own is not as it was"; return 1; }
  say "the Docker of the user's own is as it was"
}
