//! The containers that serve, for the verbs that look into them.

use super::{Exit, Run, Stop};
use crate::host::Host;
use crate::host::ssh::{Child, ExecError, Limits, Lines};
use crate::report::Event;
use crate::report::finding;
use crate::see::{Observation, ServiceSeen};
use std::time::Duration;

/// How long somebody may look on.
const LOOKED_ON: Duration = Duration::from_secs(7 * 24 * 3600);

/// A container of a service on a host.
pub(super) struct Serving<'a> {
    pub(super) host: &'a Host,
    pub(super) service: String,
    pub(super) slot: String,
    pub(super) container: String,
    pub(super) version: Option<String>,
    /// What people see before each of its lines.
    pub(super) label: String,
}

/// Which containers are meant.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Which<'a> {
    /// The services of this name in cutover.yml, else all.
    pub(super) service: Option<&'a str>,
    /// The slots that do not serve.
    pub(super) idle: bool,
}

impl Run {
    /// The container of each service on each host.
    pub(super) async fn serving<'a>(&self, hosts: &'a [Host], which: Which<'_>) -> Result<Vec<Serving<'a>>, Stop> {
        let (mut all, mut missing) = (Vec::new(), Vec::new());
        for (host, (seen, findings)) in hosts.iter().zip(self.look(hosts, &[]).await?) {
            let Some(seen) = seen else {
                missing.extend(findings.iter().map(|found| format!("{}: {}", host.name, finding(found))));
                continue;
            };
            for service in wanted(&seen, which) {
                match container(host, service, which.idle) {
                    Ok(found) => all.push(found),
                    Err(why) => missing.push(format!("{}: {}: {why}", host.name, service.name)),
                }
            }
        }
        if !missing.is_empty() {
            return Err(Stop::new(Exit::Refused, missing.join("\n")));
        }
        label(&mut all, hosts.len());
        Ok(all)
    }

    /// Refuses a service that cutover.yml does not have.
    pub(super) fn service_is_known(&self, service: Option<&str>) -> Result<(), Stop> {
        let Some(service) = service else { return Ok(()) };
        let names: Vec<&str> = self.config.services.iter().map(|service| service.name.as_str()).collect();
        if names.contains(&service) {
            return Ok(());
        }
        Err(Stop::new(Exit::Usage, format!("cutover.yml has no service {service}; it has {}", names.join(", "))))
    }
}

fn wanted<'a>(seen: &'a Observation, which: Which<'a>) -> impl Iterator<Item = &'a ServiceSeen> {
    seen.services.iter().filter(move |service| which.service.is_none_or(|name| name == service.name))
}

fn container<'a>(host: &'a Host, service: &ServiceSeen, idle: bool) -> Result<Serving<'a>, &'static str> {
    let live = service.live.slot().ok_or("no slot serves")?;
    let slot = &service.slots[if idle { 1 - live } else { live }];
    let container = slot.container.as_ref().ok_or("the idle slot has no container")?;
    Ok(Serving {
        host,
        service: service.name.clone(),
        slot: slot.service.clone(),
        container: container.id.clone(),
        version: slot.version.clone(),
        label: String::new(),
    })
}

/// Names what differs between them, in one column.
fn label(all: &mut [Serving<'_>], hosts: usize) {
    let services = all.iter().any(|each| each.service != all[0].service);
    for each in all.iter_mut() {
        let words = [(hosts > 1, each.host.name.as_str()), (services, each.service.as_str())];
        each.label = words.iter().filter(|(wanted, _)| *wanted).map(|(_, word)| *word).collect::<Vec<_>>().join(" ");
    }
    let width = all.iter().map(|each| each.label.chars().count()).max().unwrap_or_default();
    for each in all.iter_mut().filter(|_| width > 0) {
        each.label = format!("{:<width$} │ ", each.label);
    }
}

impl Serving<'_> {
    /// Prints each line that a command on the host prints, as it comes; gives the command's exit status.
    pub(super) async fn print(&self, child: &mut Child) -> Result<u32, ExecError> {
        let mut lines = Lines::new(&mut child.stdout, Limits { timeout: LOOKED_ON, max_bytes: usize::MAX });
        while let Some(text) = lines.next().await? {
            self.host.reporter.emit(Event::Line {
                host: self.host.name.clone(),
                source: self.slot.clone(),
                text,
                label: self.label.clone(),
            });
        }
        child.wait().await
    }
}
