//! Keys that `engine: swarm` would pass over: it refuses them, each with its place.
use super::error::{At, Wrong};
use super::raw::Raw;
use super::read::Stated;

/// Refuses the first of them in the file.
pub(super) fn suits(raw: &Raw) -> Result<(), Wrong> {
    let Some((at, key, instead)) = unsuited(raw).into_iter().min_by_key(|(at, ..)| *at) else { return Ok(()) };
    Err(Wrong::new(at, format!("{key} does not work with `engine: swarm`; {instead}")))
}

/// Where each stands, what it is, and what is to be done.
fn unsuited(raw: &Raw) -> Vec<(At, &'static str, &'static str)> {
    let mut all = Vec::new();
    let mut say = |at: Option<At>, key, instead| all.extend(at.map(|at| (at, key, instead)));
    say(place(raw.project.as_ref()), "`project`", "the stack's name stands in `stack`");
    let several = raw.services.as_ref().filter(|services| services.list.len() > 1);
    say(several.map(|services| services.at), "more than one of `services`", "expected one service");
    let inner = raw.services.iter().flat_map(|services| services.list.iter().map(|(_, service)| service));
    let mut of_service = vec![(&raw.slots, &raw.workers, &raw.upstream, &raw.port, &raw.stop_timeout)];
    of_service.extend(inner.map(|each| (&each.slots, &each.workers, &each.upstream, &each.port, &each.stop_timeout)));
    for (slots, workers, upstream, port, stop_timeout) in of_service {
        let elsewhere = |slot: &super::SlotSettings| slot.project.is_some() || !slot.files.is_empty();
        let slots = slots.as_ref().filter(|slots| slots.value.iter().any(elsewhere));
        say(place(slots), "a slot with `project` or `files`", "expected two services of the stack");
        say(place(workers.as_ref()), "`workers`", "the stack's other services are moved with `docker service update`");
        say(place(upstream.as_ref()), "`upstream`", "nginx's variable says where requests go");
        say(place(port.as_ref()), "`port`", "nginx's configuration says it");
        say(place(stop_timeout.as_ref()), "`stop-timeout`", "the stack file's `stop_grace_period` holds");
    }
    if let Some(nginx) = &raw.nginx {
        say(place(nginx.container.as_ref()), "`nginx.container`", "expected `service`, a global one of the stack");
        let on_host = nginx.host.as_ref().filter(|host| host.value);
        say(place(on_host), "nginx on the host", "expected `service`, a global one of the stack");
        say(place(nginx.conf.as_ref()), "`nginx.conf`", "its files are found by what nginx mounts");
        say(nginx.probe.as_ref().map(|probe| probe.at), "`nginx.probe`", "a location that leads to the slots is found");
        let guard = nginx.keepalive_guard.as_ref();
        say(place(guard), "`nginx.keepalive-guard`", "write `keepalive_min_timeout` into nginx's configuration");
    }
    let path = raw.env_file.as_ref().and_then(|file| file.path.as_ref());
    say(place(path), "`env-file.path`", "its values become variables of the tasks");
    all
}

fn place<T>(stated: Option<&Stated<T>>) -> Option<At> {
    stated.map(|stated| stated.key)
}
