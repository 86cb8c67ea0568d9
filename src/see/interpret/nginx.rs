//! Where nginx runs: in the compose project, in another container, or on the host itself.

use crate::config::Config;
use crate::host::compose::Project;
use crate::host::container::Container;
use crate::router::Router;
use crate::see::interpret::discover;
use crate::see::interpret::project::Slot;
use crate::see::interpret::published::doors;
use crate::see::judge::findings::Findings;
use crate::see::read::elsewhere::{Elsewhere, OnHost};
use std::collections::BTreeSet;

/// Where nginx runs, what it is called there, and its container where that is none of the compose project.
pub(super) fn find_nginx<'a>(
    config: &Config,
    project: &Project,
    slots: &[[Slot<'_>; 2]],
    elsewhere: Option<&'a Elsewhere>,
    findings: &mut Findings,
) -> Option<(Router, String, Option<&'a Container>)> {
    let containers = elsewhere.map(|elsewhere| elsewhere.containers.as_slice()).unwrap_or_default();
    let of = |container: &'a Container| (Router::Container, container.own_name().to_owned(), Some(container));
    if let Some(stated) = &config.nginx.container {
        let found = containers.iter().find(|container| container.own_name() == stated.as_str());
        if found.is_none() {
            let what = format!("no container {stated} runs on the host");
            findings.refuse("nginx", what, "start it, or correct `nginx: {container: …}`; a release never starts it");
        }
        return found.map(of);
    }
    let on_host =
        elsewhere.and_then(|elsewhere| elsewhere.host.as_ref()).map(|_| (Router::Host, "nginx".to_owned(), None));
    if config.nginx.on_host {
        if on_host.is_none() {
            let what = "no nginx runs on the host itself";
            findings.refuse(
                "nginx",
                what,
                "start it (sudo systemctl start nginx), or correct `nginx: host` in cutover.yml",
            );
        }
        return on_host;
    }
    let why = match discover::nginx(project, config.nginx.service.as_ref().map(|name| name.as_str())) {
        Ok(nginx) => return Some((Router::Compose, nginx, None)),
        Err(why) => why,
    };
    let running = slots.iter().flatten().filter_map(|slot| slot.container).filter(|container| container.is_running());
    let running: Vec<&Container> = running.collect();
    let beside = containers.iter().filter(|nginx| running.iter().any(|slot| slot.address_beside(nginx).is_some()));
    let beside: Vec<&Container> = beside.collect();
    match beside.as_slice() {
        [one] => Some(of(one)),
        // such a one reaches slots by ports of the host alone
        [] if on_host.is_some() && slots.iter().all(|[one, two]| !doors([&one.bindings, &two.bindings]).is_empty()) => {
            on_host
        }
        [] => {
            let todo = "name nginx's compose service with `nginx: {service: …}` in cutover.yml, or its container, if that is \
                        none of the project, with `nginx: {container: …}`; one on the host itself is `nginx: host`, and reaches \
                        slots that publish a port, such as 127.0.0.1:8081";
            findings.refuse("nginx", why, todo);
            None
        }
        several => {
            let names: Vec<&str> = several.iter().map(|container| container.own_name()).collect();
            let what = format!("{why}; several containers on the slots' networks could be nginx: {}", names.join(", "));
            findings.refuse("nginx", what, "name the one with `nginx: {container: …}` in cutover.yml");
            None
        }
    }
}

/// nginx's files on the host: each is there what it is to nginx.
pub(super) fn its_own(nginx: &OnHost) -> Vec<(String, String)> {
    let all = nginx.outside.iter().map(String::as_str).chain([nginx.directory()]);
    let all: BTreeSet<&str> = all.collect();
    all.into_iter().map(|path| (path.to_owned(), path.to_owned())).collect()
}
