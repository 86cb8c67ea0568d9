//! What is true of a stack: its two slots, the nodes, and nginx of every host.

use super::api::{Api, Member};
use super::edge::{Edge, Sought};
use super::objects::{Node, Service, Task};
use super::plan::version_of;
use super::slots::called;
use crate::config::{Config, ServiceSettings};
use crate::host::container::Container;
use crate::host::engine::in_query;
use crate::see::judge::findings::Findings;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Everything that a plan needs.
pub(crate) struct Seen<'a> {
    pub(crate) api: &'a Api<'a>,
    pub(crate) stack: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) slots: [SlotSeen; 2],
    /// nginx of each host, in their order.
    pub(crate) edges: Vec<Edge<'a>>,
}

/// One of the two services.
pub(crate) struct SlotSeen {
    pub(crate) service: Service,
    /// Its name without the stack.
    pub(crate) called: String,
    pub(crate) tasks: Vec<Task>,
}

impl SlotSeen {
    /// The version that its image names.
    pub(crate) fn version(&self, service: &ServiceSettings) -> Option<String> {
        let serves = self.service.replicas() != Some(0);
        version_of(self.service.image(), service).filter(|_| serves)
    }
}

impl Seen<'_> {
    /// The slot that every nginx names; `None`: they differ.
    pub(crate) fn named(&self) -> Option<usize> {
        let first = self.edges.first()?.named;
        self.edges.iter().all(|edge| edge.named == first).then_some(first)
    }

    /// How many tasks serve: those that the live slot shall have, else the other one.
    pub(crate) fn replicas(&self) -> u64 {
        let of = |slot: usize| self.slots[slot].service.replicas().unwrap_or(0);
        let live = self.named().map_or(0, of);
        if live > 0 { live } else { of(0).max(of(1)) }
    }

    /// The tasks of either slot.
    pub(crate) fn tasks(&self) -> [Vec<Task>; 2] {
        self.slots.each_ref().map(|slot| slot.tasks.clone())
    }

    /// The tasks of either slot as they are now.
    pub(crate) async fn tasks_now(&self) -> Result<[Vec<Task>; 2]> {
        let [one, two] = self.slots.each_ref().map(|slot| self.api.tasks(&slot.service.id));
        let (one, two) = tokio::try_join!(one, two)?;
        Ok([one, two])
    }
}

/// Looks; changes nothing. `None`: something refuses a release so thoroughly that no plan can be made.
pub(crate) async fn see<'a>(
    api: &'a Api<'a>,
    stack: &str,
    config: &Config,
    findings: &mut Findings,
) -> Result<Option<Seen<'a>>> {
    super::judge::of_members(api, findings);
    if !api.has_manager() {
        return Ok(None);
    }
    let (nodes, services) = tokio::try_join!(api.nodes(), api.services(stack))?;
    super::judge::of_nodes(&nodes, findings);
    let Some((slots, nginx)) = pick(&services, stack, config, findings) else { return Ok(None) };
    let mut seen = Vec::new();
    for service in slots {
        let called = short(stack, service.name()).to_owned();
        seen.push(SlotSeen { tasks: api.tasks(&service.id).await?, called, service: service.clone() });
    }
    let Ok(slots) = <[SlotSeen; 2]>::try_from(seen) else { return Ok(None) };
    super::judge::of_services(&slots, nginx, findings);
    let on = api.tasks(&nginx.id).await?;
    super::judge::of_edges(api, &nodes, &on, findings);
    let sought = Sought {
        services: slots.each_ref().map(|slot| slot.service.name()),
        called: slots.each_ref().map(|slot| slot.called.as_str()),
    };
    let each = api.members.iter().map(|member| edge(member, nginx, &sought));
    let mut edges = Vec::new();
    for (found, edge) in futures_util::future::try_join_all(each).await? {
        findings.0.extend(found.0);
        edges.extend(edge);
    }
    if edges.is_empty() {
        return Ok(None);
    }
    let seen = Seen { api, stack: stack.to_owned(), nodes, slots, edges };
    super::judge::of_tasks(&seen, findings);
    Ok(Some(seen))
}

/// nginx of one host.
async fn edge<'a>(
    member: &'a Member<'a>,
    nginx: &Service,
    sought: &Sought<'_>,
) -> Result<(Findings, Option<Edge<'a>>)> {
    let mut findings = Findings::default();
    let about = format!("nginx on {}", member.host.name);
    let filters =
        json!({ "label": [format!("com.docker.swarm.service.name={}", nginx.name())], "status": ["running"] });
    let list: Vec<Value> = member.get(&format!("/containers/json?filters={}", in_query(&filters.to_string()))).await?;
    let Some(id) = list.first().and_then(|container| container["Id"].as_str()) else {
        findings.refuse(about, format!("no task of {} runs there", nginx.name()), "it is to be a global service");
        return Ok((findings, None));
    };
    let container: Container = member.get(&format!("/containers/{id}/json")).await?;
    let gateways = gateways(member).await?;
    let Some(gateway) = gateways.get(&container.id) else {
        findings.refuse(about, "the node can't reach it: it is not on docker_gwbridge", "is its network `internal`?");
        return Ok((findings, None));
    };
    let edge = Edge::see(member.host, &member.node, &container, gateway, sought, &mut findings).await?;
    Ok((findings, edge))
}

/// Container → its address as its node reaches it, of all that are on the swarm's networks.
pub(super) async fn gateways(member: &Member<'_>) -> Result<HashMap<String, String>> {
    let network: Value = member.get("/networks/docker_gwbridge").await.context("the node has no docker_gwbridge")?;
    let all = network["Containers"].as_object().into_iter().flatten();
    let address = |value: &Value| Some(value["IPv4Address"].as_str()?.split('/').next()?.to_owned());
    Ok(all.filter_map(|(id, value)| Some((id.clone(), address(value)?))).collect())
}

/// A service's name without its stack.
fn short<'n>(stack: &str, name: &'n str) -> &'n str {
    name.strip_prefix(stack).and_then(|rest| rest.strip_prefix('_')).unwrap_or(name)
}

/// The services that are the slots, and nginx.
fn pick<'s>(
    services: &'s [Service],
    stack: &str,
    config: &Config,
    findings: &mut Findings,
) -> Option<([&'s Service; 2], &'s Service)> {
    let about = format!("stack {stack}");
    if services.is_empty() {
        findings.refuse(about, "the swarm has no such stack", "`docker stack ls` lists them; name it with `stack:`");
        return None;
    }
    let named =
        |name: &str| services.iter().find(|service| short(stack, service.name()) == name || service.name() == name);
    let settings = &config.services[0];
    let mut slots: Vec<&Service> = match &settings.slots {
        Some(slots) => slots.iter().filter_map(|slot| named(slot.service.as_ref()?.as_str())).collect(),
        None => {
            let own =
                |service: &&Service| service.replicas().is_some() && settings.image.same_repository(service.image());
            services.iter().filter(own).collect()
        }
    };
    let all = services.iter().map(|service| short(stack, service.name())).collect::<Vec<_>>().join(", ");
    // the swarm lists them in no order
    slots.sort_by(|one, other| one.name().cmp(other.name()));
    let Ok(slots) = <[&Service; 2]>::try_from(slots) else {
        let what = format!("two replicated services of {} are its slots; it has {all}", settings.image);
        findings.refuse(about, what, "name them with `slots: [blue, green]` in cutover.yml");
        return None;
    };
    let stated = config.nginx.service.as_ref().map(|name| name.as_str());
    let is_nginx = |service: &&Service| {
        let image = service.image().split(['@', ':']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let registry = service.image().rsplit('/').next().unwrap_or_default().split(['@', ':']).next();
        image == "nginx" || registry == Some("nginx") || short(stack, service.name()) == "nginx"
    };
    let nginx = match stated {
        Some(name) => named(name),
        None => services.iter().find(is_nginx),
    };
    let Some(nginx) = nginx else {
        findings.refuse(about, format!("no service is nginx; it has {all}"), "name it with `nginx: {service: NAME}`");
        return None;
    };
    Some((slots, nginx))
}

/// A host by the node that it is.
pub(crate) fn member_of<'m, 'a>(api: &'m Api<'a>, nodes: &[Node], node: &str) -> Result<&'m Member<'a>> {
    let member = api.members.iter().find(|member| member.node == node);
    member.with_context(|| format!("a task runs on {}, which is no host of cutover.yml", called(nodes, node)))
}
