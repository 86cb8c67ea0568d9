# shellcheck shell=bash
# The machine's side: the private dockerd on its own bridge, the registries.

start_dockerd() {
  alive "$RUN/docker.pid" dockerd && return
  mkdir -p "$CUTOVER_LAB/docker" "$CUTOVER_LAB/config"
  rm -f "$RUN/docker.pid" "$DOCKER_SOCKET"
  say "starting the private dockerd"
  # Its own containerd namespace and no rules in the machine's iptables: a daemon of the user's is not disturbed.
  setsid nohup dockerd --host "unix://$DOCKER_SOCKET" --group "${LAB_OWNER#*:}" --pidfile "$RUN/docker.pid" \
    --data-root "$CUTOVER_LAB/docker" --exec-root "$RUN/exec" --bridge none --iptables=false --ip6tables=false \
    --ip-forward=false --containerd-namespace cutover-lab --containerd-plugins-namespace cutover-lab-plugins \
    --insecure-registry "$TRUSTED" --storage-driver overlay2 >"$RUN/dockerd.log" 2>&1 </dev/null 9>&- &
  wait_for 60 "the private dockerd (see $RUN/dockerd.log)" docker version || die "$(tail -5 "$RUN/dockerd.log")"
}

start_network() {
  docker network inspect lab >/dev/null 2>&1 || docker network create --driver bridge --subnet "$SUBNET" \
    --gateway "$GATEWAY" --opt "com.docker.network.bridge.name=$BRIDGE" lab >/dev/null
  # Where the machine drops forwarded packets, bridged ones are dropped as well (br_netfilter).
  if iptables -S FORWARD 2>/dev/null | grep -q -- '-P FORWARD DROP'; then
    iptables -C FORWARD -i "$BRIDGE" -o "$BRIDGE" -j ACCEPT 2>/dev/null ||
      iptables -I FORWARD -i "$BRIDGE" -o "$BRIDGE" -j ACCEPT
  fi
}

# start_registry NAME ADDRESS [AUTH-YAML]
start_registry() {
  local name=$1 address=$2 auth=${3:-}
  alive "$RUN/$name.pid" docker-registry && return
  mkdir -p "$CUTOVER_LAB/$name"
  printf '%s\n' 'version: 0.1' 'log: {level: warn, accesslog: {disabled: true}}' \
    "storage: {filesystem: {rootdirectory: $CUTOVER_LAB/$name}, delete: {enabled: true}}" \
    "http: {addr: '$address'}" "$auth" >"$RUN/$name.yml"
  setsid nohup "$("$here/scripts/programs" path docker-registry)" serve "$RUN/$name.yml" >"$RUN/$name.log" 2>&1 </dev/null 9>&- &
  echo $! >"$RUN/$name.pid"
  wait_for 20 "the registry (see $RUN/$name.log)" curl -s -o /dev/null "http://$address/v2/"
}

start_registries() {
  # shellcheck disable=SC2016
  [ -s "$CUTOVER_LAB/htpasswd" ] || printf '%s:%s\n' "$AUTH_USER" \
    "$(perl -e 'print crypt($ARGV[0], q($2b$05$abcdefghijklmnopqrstuu))' "$AUTH_PASSWORD")" >"$CUTOVER_LAB/htpasswd"
  start_registry registry "$REGISTRY"
  start_registry auth-registry "$AUTH_REGISTRY" "auth: {htpasswd: {realm: lab, path: $CUTOVER_LAB/htpasswd}}"
}

registry_json() {
  printf '{"registry":"%s","auth_registry":"%s","user":"%s","password":"%s"}\n' \
    "$REGISTRY" "$AUTH_REGISTRY" "$AUTH_USER" "$AUTH_PASSWORD"
}

lab_up_locked() {
  "$here/scripts/programs" install lab 9>&- || die "programs are missing"
  start_dockerd
  start_network
  start_registries
  build_images
  own "$CUTOVER_LAB" "$RUN" "$CUTOVER_LAB/config"
}

own() { [ "$LAB_OWNER" = 0:0 ] || chown "$LAB_OWNER" "$@"; }

lab_up() { is_up || locked up lab_up_locked; }

# Cheap, and enough: whatever an image is made of is part of the goldens' key.
is_up() {
  alive "$RUN/docker.pid" dockerd && alive "$RUN/registry.pid" docker-registry &&
    alive "$RUN/auth-registry.pid" docker-registry && goldens_ready
}

lab_env() {
  printf 'export %s\n' "CUTOVER_LAB=$CUTOVER_LAB" "DOCKER_HOST=unix://$DOCKER_SOCKET" "DOCKER_BUILDKIT=0" \
    "LAB_REGISTRY=$REGISTRY" "LAB_AUTH_REGISTRY=$AUTH_REGISTRY" \
    "LAB_AUTH_USER=$AUTH_USER" "LAB_AUTH_PASSWORD=$AUTH_PASSWORD"
}

lab_down_locked() {
  local name
  if alive "$RUN/docker.pid" dockerd; then
    for name in $(instance_list); do instance_stop "$name"; done
    docker image ls --format '{{.Repository}}:{{.Tag}}' | { grep -E '/t[0-9]+-[0-9]+/' || true; } |
      xargs -r env DOCKER_HOST="unix://$DOCKER_SOCKET" docker rmi >/dev/null 2>&1 || true
    docker network rm lab >/dev/null 2>&1 || true
  fi
  stop_pid "$RUN/registry.pid" docker-registry
  stop_pid "$RUN/auth-registry.pid" docker-registry
  stop_pid "$RUN/docker.pid" dockerd
  iptables -D FORWARD -i "$BRIDGE" -o "$BRIDGE" -j ACCEPT 2>/dev/null || true
  ip link delete "$BRIDGE" 2>/dev/null || true
  rm -rf "$CUTOVER_LAB/instances"
}

lab_down() { locked up lab_down_locked; }

lab_clean() {
  lab_down
  case $CUTOVER_LAB in */cutover-lab*) ;; *) die "will not remove $CUTOVER_LAB: its name does not hold 'cutover-lab'" ;; esac
  rm -rf "$CUTOVER_LAB"
}
