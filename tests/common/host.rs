//! nginx on an instance itself, and what a login may do there.

use lab::Instance;
use std::path::Path;
use std::process::Command;

/// nginx and its configuration from the lab's image, which is of the same distribution as an instance of kind v2.
const NGINX: &str = "id=$(docker create nginx:1.26) && docker cp -q \"$id:/usr/sbin/nginx\" /usr/sbin/nginx && docker cp -q \"$id:/etc/nginx\" \
    /etc/ && docker rm \"$id\" && mkdir -p /var/lib/nginx /var/log/nginx && { id nginx 2>/dev/null || useradd -r nginx; } && \
    rm -f /etc/nginx/conf.d/*";

/// What Debian's sudo is installed with; besides, it writes down what it was asked for.
const SUDO: &str = "tar -xf /tmp/sudo.tar -C / && rm /tmp/sudo.tar && chown -R root:root /usr/bin/sudo /usr/sbin/visudo /usr/lib*/sudo && \
    chmod 4755 /usr/bin/sudo && mkdir -p /etc/sudoers.d && printf '%s\\n' 'Defaults logfile=/var/log/sudo.log, loglinelen=0' \
    'root ALL=(ALL:ALL) ALL' '@includedir /etc/sudoers.d' > /etc/sudoers && chmod 440 /etc/sudoers && \
    printf '@include common-auth\\n@include common-account\\n@include common-session-noninteractive\\n' > /etc/pam.d/sudo";

/// Installs nginx on an instance; it does not run yet.
pub fn install_nginx(instance: &Instance) {
    instance.root(NGINX).expect("nginx");
}

/// Puts a file of root's there.
pub fn write(instance: &Instance, path: &str, text: &str) {
    instance.write("/tmp/written", text).expect("a file");
    let script =
        format!("mkdir -p $(dirname {path}) && cat /tmp/written > {path} && chmod 644 {path} && rm /tmp/written");
    instance.root(&script).expect("a file of root's");
}

/// Installs sudo, by which nobody but root may do anything yet.
pub fn install_sudo(instance: &Instance) {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/programs");
    let found = Command::new(scripts).args(["path", "sudo"]).output().expect("scripts/programs");
    let found = String::from_utf8(found.stdout).expect("a path");
    let root = found.trim().strip_suffix("usr/bin/sudo").expect("sudo: scripts/programs install lab");
    let own = ["usr/libexec/sudo", "usr/lib/sudo"].into_iter().filter(|path| Path::new(root).join(path).exists());
    let tar = Command::new("tar").args(["-C", root, "-cf", "-", "usr/bin/sudo", "usr/sbin/visudo"]).args(own).output();
    instance.write("/tmp/sudo.tar", tar.expect("tar").stdout).expect("sudo");
    instance.root(SUDO).expect("sudo");
}

/// What sudo was asked to run since it was last asked, each once; a refusal has its reason in front.
pub fn asked_of_sudo(instance: &Instance) -> Vec<String> {
    let log = instance.root("touch /var/log/sudo.log; cat /var/log/sudo.log; : > /var/log/sudo.log").expect("its log");
    let refused = |line: &str| ["not allowed", "password is required"].into_iter().find(|why| line.contains(why));
    let one = |line: &str| {
        let command = line.rsplit_once("COMMAND=")?.1;
        Some(refused(line).map_or(command.to_owned(), |why| format!("{why}: {command}")))
    };
    let all: std::collections::BTreeSet<String> = log.lines().filter_map(one).collect();
    all.into_iter().filter(|command| !command.starts_with("list")).collect()
}
