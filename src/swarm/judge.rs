//! What stands in the way of a release to a swarm, or will one day.

use super::api::Api;
use super::objects::{Node, Service, Task};
use super::see::{Seen, SlotSeen};
use super::slots::called;
use super::store::Left;
use crate::config::duration;
use crate::host::nginx::{Directive, parse};
use crate::see::judge::findings::Findings;
use std::time::Duration;

/// An address that a name had is used no longer than this.
const VALID: Duration = Duration::from_secs(2);

/// The hosts are of one swarm, and one of them is a manager.
pub(crate) fn of_members(api: &Api<'_>, findings: &mut Findings) {
    for member in api.members.iter().filter(|member| member.node.is_empty()) {
        let what = format!("{} is no node of a swarm", member.host.name);
        findings.refuse("swarm", what, "`docker swarm init` on the first, `docker swarm join` on the others");
    }
    if !api.has_manager() {
        findings.refuse("swarm", "none of the hosts is a manager", "name a manager in `hosts`");
    }
    let old =
        api.members.iter().filter(|member| member.version.starts_with("19.") || member.version.starts_with("18."));
    for member in old {
        let what = format!("{} runs Docker {}", member.host.name, member.version);
        findings.refuse("docker", what, "20.10 or newer is needed");
    }
}

/// Enough managers, and all nodes there.
pub(crate) fn of_nodes(nodes: &[Node], findings: &mut Findings) {
    let managers: Vec<&Node> = nodes.iter().filter(|node| node.manager_status.is_some()).collect();
    if managers.len() == 2 {
        let what = "two managers: where either is lost, nothing can be changed, which is worse than with one";
        findings.advise("swarm", what, "`docker node promote` a third one");
    }
    let names = |nodes: Vec<&Node>| nodes.iter().map(|node| node.name()).collect::<Vec<_>>().join(", ");
    let unreachable = managers.iter().filter(|node| {
        node.manager_status.as_ref().is_some_and(|status| status.reachability != "reachable" && !status.leader)
    });
    let unreachable: Vec<&Node> = unreachable.copied().collect();
    if !unreachable.is_empty() {
        let what = format!("managers that are not reachable: {}", names(unreachable));
        findings.advise("swarm", what, "bring them back: without a majority nothing can be changed");
    }
    let down: Vec<&Node> = nodes.iter().filter(|node| !node.is_ready()).collect();
    if !down.is_empty() {
        let what = format!("nodes that are down: {}", names(down));
        findings.refuse("swarm", what, "bring them back, or `docker node rm` them and take them out of `hosts`");
    }
    let drained: Vec<&Node> = nodes.iter().filter(|node| node.spec.availability == "drain").collect();
    if !drained.is_empty() {
        let what = format!("drained nodes take no tasks, nginx neither: {}", names(drained));
        findings.advise("swarm", what, "`docker node update --availability active` when they shall serve again");
    }
}

/// The services are what a release needs them to be.
pub(crate) fn of_services(slots: &[SlotSeen; 2], nginx: &Service, findings: &mut Findings) {
    for slot in slots {
        let about = format!("slot {}", slot.called);
        if slot.service.replicas().is_none() {
            findings.refuse(&about, "is not replicated", "`deploy: {replicas: N}` in the stack file, without a `mode`");
        }
        if !slot.service.is_dnsrr() {
            let what =
                "has a virtual IP: `tasks.NAME` works all the same, its plain name only where the kernel has IPVS";
            findings.advise(&about, what, "`deploy: {endpoint_mode: dnsrr}` in the stack file");
        }
        let mounts = slot.service.mounts();
        if !mounts.is_empty() {
            let what = format!("{} stays on a node when the task goes to another one", mounts.join(", "));
            findings.advise(&about, what, "keep what must last in a database, or on storage that all nodes have");
        }
        if !slot.service.ingress_ports().is_empty() {
            findings.advise(&about, "publishes a port of its own", "requests past nginx notice a release");
        }
    }
    let both = slots.iter().all(|slot| slot.service.replicas() == Some(0));
    if both {
        findings.refuse("stack", "both slots have 0 tasks", "give the one that nginx names its number of replicas");
    }
    if !nginx.is_global() {
        findings.refuse("nginx", "does not run on every node", "`deploy: {mode: global}` in the stack file");
    }
    for port in nginx.ingress_ports() {
        let what = format!(
            "port {port} goes through the swarm's own balancing: which nginx answers can't be told from outside"
        );
        findings.advise("nginx", what, "`ports: [{target: 80, published: 80, mode: host}]` in the stack file");
    }
}

/// Every node with an nginx is a host: one that is left out would go on sending requests to the old slot.
pub(crate) fn of_edges(api: &Api<'_>, nodes: &[Node], nginx: &[Task], findings: &mut Findings) {
    let known = |node: &str| api.members.iter().any(|member| member.node == node);
    for task in nginx.iter().filter(|task| !task.is_over() && !known(&task.node)) {
        let what = format!("nginx runs on {}, which is no host of cutover.yml", called(nodes, &task.node));
        findings.refuse("nginx", what, "add it to `hosts`");
    }
}

/// Where tasks may run cutover must be able to look; and what nginx names must run.
pub(crate) fn of_tasks(seen: &Seen<'_>, findings: &mut Findings) {
    let is_host = |node: &Node| seen.api.members.iter().any(|member| member.node == node.id);
    for node in seen.nodes.iter().filter(|node| node.is_ready() && node.spec.availability == "active" && !is_host(node))
    {
        let what = format!("tasks may run on {}, which is no host of cutover.yml", node.name());
        findings.refuse("swarm", what, "add it to `hosts`: each task is asked from its own node");
    }
    for edge in &seen.edges {
        let word = edge.word(edge.named);
        if !word.starts_with("tasks.") && seen.slots.iter().any(|slot| !slot.service.is_dnsrr()) {
            let what = format!("{word} means a virtual IP: where its requests go can't be seen");
            findings.refuse(
                format!("nginx on {}", edge.host.name),
                what,
                "name the slot `tasks.SERVICE` there, or give both slots `endpoint_mode: dnsrr`",
            );
        }
    }
    if seen.named().is_none() {
        let each: Vec<String> =
            seen.edges.iter().map(|edge| format!("{} on {}", seen.slots[edge.named].called, edge.host.name)).collect();
        let todo = "if `cutover recover` finds nothing to do, make them the same by hand";
        findings.refuse("nginx", format!("names different slots: {}", each.join(", ")), todo);
    }
}

/// What a release left is not so any more: somebody has deployed the stack by hand.
pub(crate) fn drift(seen: &Seen<'_>, live: Option<&Left>) -> Vec<String> {
    let Some(live) = live else { return Vec::new() };
    let mut all = Vec::new();
    for (name, image, replicas) in &live.slots {
        let Some(slot) = seen.slots.iter().find(|slot| slot.service.name() == name) else { continue };
        let (now, has) = (slot.service.image(), slot.service.replicas().unwrap_or(0));
        if has != *replicas {
            all.push(format!("{} has {has} tasks, and the last release left {replicas}", slot.called));
        }
        if now != image && has > 0 {
            all.push(format!("{} runs {now}, and the last release left {image}", slot.called));
        }
    }
    all
}

/// nginx looks names up by itself, again and again, and gives a dead task up soon.
pub(crate) fn of_conf(
    about: &str,
    files: &[(String, String)],
    version: Option<&semver::Version>,
    findings: &mut Findings,
) {
    let trees: Vec<Vec<Directive>> = files.iter().filter_map(|(_, text)| parse(text).ok()).collect();
    let mut resolvers = Vec::new();
    trees.iter().flatten().for_each(|directive| named(directive, "resolver", &mut resolvers));
    if resolvers.is_empty() {
        let todo = "write `resolver 127.0.0.11 valid=1s ipv6=off;` into its configuration";
        findings.refuse(about, "there is no `resolver`: a name in a variable can't be looked up", todo);
    }
    for resolver in &resolvers {
        let valid = resolver.args().find_map(|arg| arg.strip_prefix("valid="));
        if valid.and_then(|valid| duration::parse(valid).ok()).is_none_or(|valid| valid > VALID) {
            let what =
                "`resolver` keeps addresses for longer than 2 s: a task that has moved is asked for at its old one";
            findings.advise(about, what, "`valid=1s` behind the resolver's address");
        }
    }
    let mut guards = Vec::new();
    trees.iter().flatten().for_each(|directive| named(directive, "keepalive_min_timeout", &mut guards));
    if guards.is_empty() && version.is_some_and(|version| *version >= semver::Version::new(1, 27, 4)) {
        let what = "idle keep-alive connections are cut at every reload: `keepalive_min_timeout` is not set";
        findings.advise(about, what, "write `keepalive_min_timeout 10s;` above the server block");
    }
    let mut timeouts = Vec::new();
    trees.iter().flatten().for_each(|directive| named(directive, "proxy_connect_timeout", &mut timeouts));
    if timeouts.is_empty() {
        let what =
            "a node that dies without a word holds requests up for 60 s, which is `proxy_connect_timeout`'s default";
        findings.advise(about, what, "write `proxy_connect_timeout 1s;`");
    }
}

fn named<'d>(directive: &'d Directive, name: &str, found: &mut Vec<&'d Directive>) {
    if directive.name() == name {
        found.push(directive);
    }
    directive.block.iter().flatten().for_each(|child| named(child, name, found));
}
