//! Starting containers: the idle slots, and nginx where it does not run.

use super::execute::{HostSwap, RELOAD_SECONDS};
use super::making;
use super::plan::ServicePlan;
use super::story::Step;
use super::undo;
use crate::host::container::Container;
use crate::host::script::{Script, Section, sections};
use crate::report::Level;
use anyhow::{Context as _, Result, bail};
use std::time::Duration;

/// How long each service that comes before the slots may take; first.sh has the same.
const FIRST: Duration = Duration::from_secs(600);

impl HostSwap<'_> {
    /// Starts the idle slots on the new image, and what they need.
    pub(super) async fn start(&mut self) -> Result<String> {
        let output = self.host.run(&self.start_script()?).await?;
        let containers = self.containers(&output)?;
        let mut started = Vec::new();
        for service in &self.plan.services {
            let slot = &service.to.slot;
            let found = containers.iter().find(|c| c.label("com.docker.compose.service") == slot);
            let found = found.with_context(|| format!("compose started no container for {slot}"))?;
            self.runs_the_image(service, found).await?;
            started.push(found.clone());
        }
        self.started = started;
        self.watch()?;
        let names = self.started.iter().map(|container| container.name.trim_start_matches('/').to_owned());
        Ok(names.collect::<Vec<_>>().join(", "))
    }

    fn start_script(&self) -> Result<Script> {
        let plan = &self.plan;
        let tags = self.tags()?;
        let kept: Vec<_> = plan.services.iter().filter_map(|service| service.to.kept.as_ref()).collect();
        let slots: Vec<&String> = plan.services.iter().map(|service| &service.to.slot).collect();
        let anew = plan.services.iter().filter(|service| service.to.kept.is_none()).map(|service| &service.to.slot);
        let by_compose = anew.clone().any(|slot| plan.makings.get(slot).is_some_and(|making| making.by_compose));
        let need = |name: &String| {
            let [with, without] =
                making::words(&plan.makings, std::iter::once(name), &plan.needs.iter().collect::<Vec<_>>());
            [name.clone(), with, without]
        };
        let made: Vec<&String> = slots.iter().copied().chain(&plan.needs).collect();
        let text = concat!(
            include_str!("scripts/prelude.sh"),
            include_str!("scripts/up.sh"),
            include_str!("scripts/first.sh"),
            include_str!("scripts/opens.sh"),
            include_str!("scripts/start.sh")
        );
        let script = self.script("to start the idle slot", text);
        let script = script
            .args([self.nginx_place().as_nginx(), self.running_idle_slots()])
            .args([&plan.conf.path, &undo::digest(&plan.conf.before)])
            .args([plan.compose.word(), &plan.directory, &(tags.len() / 2).to_string()])
            .args(tags)
            .arg(plan.needs.len().to_string())
            .args(plan.needs.iter().flat_map(need))
            .arg(plan.first.len().to_string())
            .args(plan.first.iter().flat_map(|first| [first.service.as_str(), first.condition.word()]))
            .arg(kept.len().to_string())
            .args(kept.iter().flat_map(|kept| [&kept.container, &kept.restart]))
            .args(making::words(&plan.makings, anew.clone(), &made))
            .arg(if by_compose { "compose" } else { "docker" })
            .args(anew);
        let limit = script.limit + FIRST * u32::try_from(plan.first.len()).unwrap_or(1);
        Ok(script.limit(limit).stdin(self.journal_line()?))
    }

    /// Compose took the image of this release: a reference that changed meanwhile would name another.
    async fn runs_the_image(&self, service: &ServicePlan, container: &Container) -> Result<()> {
        let Some(wanted) = service.present.as_ref().filter(|image| **image != container.image) else { return Ok(()) };
        let docker = self.host.docker(&self.plan.engine)?;
        let images = (docker.image(wanted).await?, docker.image(&container.image).await?);
        if images.0.is_some() && images.0.map(|image| image.id) == images.1.map(|image| image.id) {
            return Ok(());
        }
        bail!(
            "{} was started on another image than {}: its `image:` in the compose file does not name {} any more",
            service.to.slot,
            service.pull,
            service.tags.first().map_or("the release's tag", |(reference, _)| reference)
        )
    }

    /// Starts nginx.
    pub(super) async fn nginx_up(&mut self) -> Result<String> {
        let plan = &self.plan;
        let made: Vec<&String> = plan.services.iter().map(|service| &service.to.slot).collect();
        let text = concat!(
            include_str!("scripts/prelude.sh"),
            include_str!("scripts/up.sh"),
            include_str!("scripts/nginx-up.sh")
        );
        let script = self
            .script("to start nginx", text)
            .args([plan.compose.word(), &plan.directory, &plan.nginx.service, &RELOAD_SECONDS.to_string()])
            .args(making::words(&plan.makings, std::iter::once(&plan.nginx.service), &made));
        let containers = self.containers(&self.host.run(&script).await?)?;
        self.nginx = containers.first().map(|container| container.id.clone());
        self.switched.nginx = containers.first().map(Container::addresses).unwrap_or_default();
        self.switched.nginx_pid = containers.first().map(|container| container.state.pid);
        if self.plan.nginx.guard.is_none() {
            return Ok(self.plan.nginx.service.clone());
        }
        // while nobody is connected yet, nobody can lose a connection to the guard's own reload
        self.begun.push(Step::Guard);
        let guard = self.guard().await?;
        Ok(format!("{}, guard: {guard}", self.plan.nginx.service))
    }

    /// The containers that a script named; says so where compose would not know one of them again.
    fn containers(&self, output: &[u8]) -> Result<Vec<Container>> {
        let all = sections(output)?;
        for Section { text, .. } in all.iter().filter(|section| section.name == "inexact") {
            let what = crate::report::text::one_line(text, 300);
            let text = format!(
                "a `docker compose up` by hand would recreate a container that was started now, since compose could not \
                 make it beside all that it depends on: {what}"
            );
            self.host.reporter.note(Level::Warning, &self.host.name, text);
        }
        let section = all.into_iter().find(|section| section.name == "containers");
        Container::list(&section.context("the host named no container")?.text)
    }
}
