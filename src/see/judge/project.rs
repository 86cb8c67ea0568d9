//! What of the compose project, and of its neighbours on the host, stands in the way of a release.

use super::findings::Findings;
use crate::host::compose::{Project, Service};
use crate::host::container::Container;
use crate::see::interpret::projects::Projects;
use crate::see::seen::{Observation, ServiceSeen};

/// Whether the slots can run side by side, and nginx can be started.
pub(crate) fn of_project(seen: &Observation, projects: &Projects<'_>, findings: &mut Findings) {
    for service in &seen.services {
        let [one, two] = &service.slots;
        if let (Some(blue), Some(green)) = (projects.service(&one.within), projects.service(&two.within)) {
            side_by_side(service, blue, green, findings);
            of_ports(service, blue, green, findings);
        }
    }
    of_nginx_ports(seen, projects.project, &projects.survey.containers, findings);
}

fn names(service: &ServiceSeen) -> [&str; 2] {
    [&service.slots[0].service, &service.slots[1].service]
}

/// Both run for a while: they can share neither a port of the host nor a name.
fn side_by_side(service: &ServiceSeen, blue: &Service, green: &Service, findings: &mut Findings) {
    let [one, two] = names(service);
    let about = format!("slots {one}, {two}");
    if let Some(port) = blue.published.iter().find(|port| green.published.contains(port)) {
        let what = format!("both publish port {port} of the host, so they can't run side by side");
        findings.refuse(
            &about,
            what,
            format!("replace `ports` of both by `expose: [{}]`: nginx needs no more", service.ports[0]),
        );
    }
    if let Some(name) = blue.container_name.as_ref().filter(|name| green.container_name.as_ref() == Some(*name)) {
        let what = format!("both have `container_name: {name}`, so they can't run side by side");
        findings.refuse(&about, what, "remove `container_name` from both");
    }
    for (slot, written) in [(one, blue), (two, green)] {
        if written.image.is_none() && !written.builds {
            findings.refuse(
                format!("slot {slot}"),
                "it has no `image:`, so a release can't say which image it shall run",
                format!("add the line `image: {}:latest` to it", service.image),
            );
        }
    }
}

/// A slot that listens elsewhere than nginx asks.
fn of_ports(service: &ServiceSeen, blue: &Service, green: &Service, findings: &mut Findings) {
    for (slot, written, other) in [(0, blue, green), (1, green, blue)] {
        let (port, others_port) = (service.ports[slot], service.ports[1 - slot]);
        let (own, others) = (written.port_variables(), other.port_variables());
        let elsewhere = own.iter().find(|(name, value)| **value != port && others.get(*name) == Some(&others_port));
        let exposes = !written.ports.is_empty() && !written.ports.contains(&port) && other.ports.contains(&others_port);
        let why = match (elsewhere, exposes) {
            (Some((name, value)), _) => format!("`{name}: {value}`"),
            (None, true) => format!("`expose` or `ports` of {:?}", written.ports),
            (None, false) => continue,
        };
        let what = format!("by {why} it listens on another port than {port}, which nginx asks");
        let todo = "let all name the same port: nginx's files, the compose file, and `port` in cutover.yml";
        findings.refuse(format!("slot {}", names(service)[slot]), what, todo);
    }
}

/// nginx is to be started, and somebody has its port.
fn of_nginx_ports(seen: &Observation, project: &Project, containers: &[Container], findings: &mut Findings) {
    let Some(nginx) = project.services.get(&seen.nginx.service).filter(|_| seen.nginx.running.is_none()) else {
        return;
    };
    for other in containers.iter().filter(|container| !container.is_of(&seen.scope.project, &seen.nginx.service)) {
        let taken = other.host_ports().into_iter().find(|port| nginx.published.contains(port));
        if let Some(port) = taken {
            let label = other.label("com.docker.compose.project");
            let what = format!(
                "{} does not run in the project {}, and {} of the project {label} has its port {port} of the host",
                seen.nginx.service,
                seen.scope.project,
                other.own_name()
            );
            let todo = format!(
                "if that is the nginx that serves, name its project: `project: {label}`; nginx and the slots must \
                                be of one project"
            );
            findings.refuse("nginx", what, todo);
        }
    }
}
