//! nginx is pointed at the new slot, in one command that a cut connection can't split.

use super::{confirm, drain};
use crate::host::script::{Script, sections};
use crate::router::{NGINX, Router, TRAFFIC};
use crate::see::read::traffic::counts;
use crate::swap::plan::{ConfPlan, Plan};
use crate::swap::run::{HostSwap, RELOAD_SECONDS, ServiceSwap};
use crate::swap::story::Step;
use crate::text::digest;
use anyhow::Result;

/// The text of the script, for whoever switches an nginx that is no part of a swap of one host.
pub(crate) const ROUTE: &str = include_str!("route.sh");

pub(super) fn explain(plan: &Plan) -> String {
    plan.each(|service| format!("point {} at {}", service.route(), service.to.host))
}

pub(super) async fn run(swap: &mut HostSwap<'_>) -> Result<String> {
    let script = script(swap, |conf| (vec![&conf.before], &conf.after)).set("back", "").list("slots", words(swap));
    let mut scripts = vec![script];
    scripts.extend(confirm::ahead(swap)?);
    let mut chain = swap.host.chain(scripts).await?;
    let output = chain.next().await?;
    swap.ahead = Some(chain);
    for section in sections(&output)? {
        match section.name.as_str() {
            "nginx" => {
                let addresses: Vec<String> = section.text.split_whitespace().map(str::to_owned).collect();
                swap.nginx.place.addresses =
                    if addresses.is_empty() { std::mem::take(&mut swap.nginx.place.addresses) } else { addresses };
            }
            "received" => received(&mut swap.services, &section.text),
            "reloaded" => section.text.lines().for_each(|line| reloaded(swap, line)),
            _ => {}
        }
    }
    Ok(explain(swap.plan))
}

/// Requests that reached the new slot meanwhile are finished before it is removed.
pub(super) async fn undo(swap: &HostSwap<'_>) -> Result<()> {
    let script =
        script(swap, |conf| (vec![&conf.after, &conf.before], &conf.back)).set("back", "back").set("slots", "");
    swap.run(script).await?;
    if let Some(nginx) = &swap.nginx.container {
        drain::workers(swap, nginx, swap.drain_timeout(), true).await?;
    }
    Ok(())
}

/// Makes nginx's files say what they shall, where they say what they may now, and has nginx take them. `texts` gives what a
/// file may say, and what it shall.
fn script(swap: &HostSwap<'_>, texts: impl Fn(&ConfPlan) -> (Vec<&String>, &String)) -> Script {
    let file = |conf: &ConfPlan| {
        let (from, to) = texts(conf);
        let from: Vec<String> = from.into_iter().map(|text| digest(text)).collect();
        let size = crate::text::to_bytes(to).len();
        format!("{}|{size} {} {}|{}", conf.how().word(), digest(to), from.join(" "), conf.path)
    };
    let confs = &swap.plan.conf;
    let new: String = confs.iter().map(|conf| texts(conf).1.as_str()).collect();
    swap.script("to point nginx at the new slot", ROUTE)
        .with(&[NGINX, TRAFFIC])
        .set("step", Step::Route.name())
        .list("files", confs.iter().map(file))
        .set("nginx", swap.nginx.container.as_deref().unwrap_or_default())
        .set("seconds", RELOAD_SECONDS.to_string())
        .stdin(new)
}

/// Each new slot, what nginx calls it, and PID 1 of the old one.
fn words(swap: &HostSwap<'_>) -> Vec<String> {
    let named = swap.plan.nginx.kind != Router::Host;
    let each = swap.services.iter().filter_map(|service| {
        let old = service.plan.from.as_ref().map_or_else(|| "-".to_owned(), |old| old.pid.to_string());
        let name = if named { service.plan.to.host.as_str() } else { "" };
        Some(format!("{}|{name}|{old}", service.started.as_ref()?.id))
    });
    each.collect()
}

/// `CONTAINER OPENS SEGMENTS OPENS SEGMENTS`: what a new slot and its old one had received.
fn received(services: &mut [ServiceSwap<'_>], line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [container, opens, segments, old_opens, old_segments] = words.as_slice() else { return };
    let is_it = |service: &&mut ServiceSwap<'_>| service.started.as_ref().is_some_and(|new| new.id == *container);
    if let Some(service) = services.iter_mut().find(is_it) {
        let counts = |opens, segments| counts(&format!("{opens} {segments}"));
        service.at_switch = Some([counts(opens, segments), counts(old_opens, old_segments)]);
    }
}

fn reloaded(swap: &mut HostSwap<'_>, line: &str) {
    match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["@workers", count] => swap.nginx.workers = count.parse().unwrap_or(0),
        ["@resolved", name, address] => swap.nginx.resolved.push(((*name).to_owned(), (*address).to_owned())),
        _ => {}
    }
}
