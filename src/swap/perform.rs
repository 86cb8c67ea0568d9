//! What each step does on its host.

use super::confirm::Switched;
use super::execute::{HostSwap, RELOAD_SECONDS};
use super::story::Step;
use super::undo;
use crate::cancel::{Cancel, Signal};
use crate::host::script::{Fence, Script, Section, sections};
use crate::report::{Event, Level};
use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What retiring says of an old slot that nginx still uses.
const STILL_USED: &str = "nginx still sends requests to";

/// How long nothing may come to an old slot once nginx's old workers are gone.
const QUIET: Duration = Duration::from_millis(250);

impl HostSwap<'_> {
    pub(super) async fn perform(&mut self, step: Step, cancel: &Cancel) -> Result<String> {
        match step {
            Step::Pull => self.pull(cancel).await,
            Step::EnvFile => self.env_file().await,
            Step::Hook => self.release_hook().await,
            Step::BeforeSwitch => self.host_hook(step, self.plan.before_switch.clone()).await,
            Step::AfterSwitch => self.after_switch().await,
            Step::Start => self.start().await,
            Step::Guard => self.guard().await,
            Step::Health => self.health(cancel).await,
            Step::Route => self.route().await,
            Step::NginxUp => self.nginx_up().await,
            Step::Confirm => super::confirm::confirm(self).await,
            Step::Bake => super::bake::watch(self, cancel).await,
            Step::Drain => self.drain(cancel).await,
            Step::Retire => self.retire().await,
            Step::Record => self.write_record().await,
        }
    }

    /// A script of the swap: it runs only while this run holds the lock.
    pub(super) fn script(&self, why: &'static str, text: &'static str) -> Script {
        Script::new(why, text).fenced(&self.fence()).limit(Duration::from_secs(180))
    }

    /// The lock under which this run changes the host.
    pub(super) fn fence(&self) -> Fence {
        Fence { state: self.state.clone(), holder: self.holder.clone() }
    }

    /// Idle slots that run all the same, as the scripts take them.
    pub(super) fn running_idle_slots(&self) -> String {
        let to = self.plan.services.iter().map(|service| (&service.to, service.port));
        let each = to.filter_map(|(to, port)| Some(to.running.as_ref()?.as_slot(port, &to.slot)));
        each.collect::<Vec<_>>().join(" ")
    }

    /// PID 1 of each old slot, in the order of the services that have one.
    fn old_pids(&self) -> Vec<String> {
        self.plan.services.iter().filter_map(|service| Some(service.from.as_ref()?.pid.to_string())).collect()
    }

    /// What tells whether nginx still sends requests to the old slots: nginx, the time since its old workers were gone, whether
    /// all were, and the slots.
    fn still_asked(&self) -> [String; 4] {
        let (since, left) = self.drained_at.map_or((Duration::ZERO, 0), |(at, left)| (at.elapsed(), left));
        let old = self.plan.services.iter().filter_map(|service| Some((service.from.as_ref()?, service.port)));
        let slots = old.map(|(old, port)| old.place().as_slot(port, &old.slot)).collect::<Vec<_>>();
        let drained = if left == 0 && self.drained_at.is_some() { "drained" } else { "" };
        [self.nginx_place().as_nginx(), (since.as_millis() / 10).to_string(), drained.to_owned(), slots.join(" ")]
    }

    /// References, each with the image that it shall name.
    pub(super) fn tags(&self) -> Result<Vec<String>> {
        let mut tags = Vec::new();
        for service in &self.plan.services {
            let image = service.present.as_ref();
            let image = image.with_context(|| format!("{} is not on the host after the pull", service.pull))?;
            tags.extend(service.tags.iter().flat_map(|(reference, _)| [reference.clone(), image.clone()]));
        }
        Ok(tags)
    }

    /// The plan as the first line of a journal.
    pub(super) fn journal_line(&self) -> Result<String> {
        Ok(format!("{}\n", crate::text::json(&serde_json::to_string(&self.plan)?)))
    }

    pub(super) async fn guard(&mut self) -> Result<String> {
        let (Some(file), Some(nginx)) = (&self.plan.nginx.guard, &self.nginx) else { return Ok(String::new()) };
        let script = self
            .script(
                "to let idle connections outlive a reload",
                concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/guard.sh")),
            )
            .args([file, nginx, &RELOAD_SECONDS.to_string()])
            .stdin(include_str!("keepalive.conf"));
        match self.host.run(&script).await {
            Ok(_) => Ok(format!("wrote {file}")),
            Err(error) if format!("{error:#}").contains(r#"unknown directive "keepalive_min_timeout""#) => {
                Ok("left out: this nginx is older than 1.27.4".to_owned())
            }
            Err(error) => {
                let text = format!(
                    "nginx did not take {file}, so idle keep-alive connections are cut at the reload: {error:#}"
                );
                self.host.reporter.note(Level::Warning, &self.host.name, text);
                Ok("left out".to_owned())
            }
        }
    }

    async fn health(&mut self, cancel: &Cancel) -> Result<String> {
        let services = self.plan.services.iter().zip(&self.started);
        let each = services.map(|(service, container)| super::health::wait(self, service, container, cancel));
        let said = try_join_all(each).await?;
        Ok(said.join(", "))
    }

    async fn route(&mut self) -> Result<String> {
        let (before, after) = (self.plan.conf.before.clone(), self.plan.conf.after.clone());
        let output = self.route_script(&[&before], &after, false).await?;
        self.switched = Switched::read(&output)?;
        Ok(self.plan.explain(Step::Route))
    }

    /// Makes nginx's file say `to`, where it says one of `from` or `to` now, and has nginx take it; `back` undoes that.
    pub(super) async fn route_script(&self, from: &[&str], to: &str, back: bool) -> Result<Vec<u8>> {
        let conf = &self.plan.conf;
        let from: Vec<String> = from.iter().map(|text| undo::digest(text)).collect();
        let script = self
            .script(
                "to point nginx at the new slot",
                concat!(
                    include_str!("scripts/prelude.sh"),
                    include_str!("scripts/opens.sh"),
                    include_str!("scripts/route.sh")
                ),
            )
            .args([Step::Route.name(), &conf.path, &from.join(" "), &undo::digest(to)])
            .arg(if conf.in_place { "in-place" } else { "rename" })
            .arg(self.nginx.clone().unwrap_or_default())
            .arg(RELOAD_SECONDS.to_string())
            .arg(if back { "back" } else { "" })
            .arg(self.old_pids().join(" "))
            .arg(self.started.len().to_string())
            .args(self.started.iter().map(|container| &container.id))
            .args(self.plan.services.iter().take(self.started.len()).map(|service| &service.to.host))
            .stdin(to);
        self.host.run(&script).await
    }

    async fn drain(&mut self, cancel: &Cancel) -> Result<String> {
        let nginx = self.nginx.clone().context("nginx does not run")?;
        let began = Instant::now();
        let timeout = self.plan.drain_timeout;
        let (left, most) = tokio::select! {
            drained = self.drain_workers(&nginx, timeout, false) => drained?,
            signal = after_signal(cancel) => bail!("{} during the drain: the old slot was left running", signal.name()),
        };
        if left > 0 {
            let text = format!(
                "{left} of nginx's old workers still had requests after {} s (WebSockets or streams?); their slot is \
                 stopped all the same. `worker_shutdown_timeout` in nginx.conf bounds them.",
                timeout.as_secs()
            );
            self.host.reporter.note(Level::Warning, &self.host.name, text);
        }
        let seconds = began.elapsed().as_secs_f64();
        self.drained_at = Some((Instant::now(), left));
        self.drained = format!("{} of {most} old nginx workers finished in {seconds:.1} s", most - left);
        Ok(self.drained.clone())
    }

    /// Waits for nginx's old workers: how many were left at the end, and how many there were. `back`: while
    /// putting back.
    pub(super) async fn drain_workers(&self, nginx: &str, timeout: Duration, back: bool) -> Result<(u64, u64)> {
        let how = match (back, self.written.load(Ordering::Relaxed)) {
            (true, _) => "back",
            (false, true) => "",
            (false, false) => "confirm",
        };
        let script = self
            .script(
                "to let old requests finish",
                concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/drain.sh")),
            )
            .args([nginx, &timeout.as_secs().to_string(), how])
            .limit(timeout + Duration::from_secs(30));
        let (mut left, mut most) = (0u64, 0u64);
        let began = Instant::now();
        let line = |line: &str| {
            self.written.fetch_or(line == "confirmed", Ordering::Relaxed);
            left = line.trim().parse().unwrap_or(left);
            most = most.max(left);
            self.host.reporter.emit(Event::Progress {
                host: self.host.name.clone(),
                text: format!("drain: {left} old workers left"),
                done: began.elapsed().as_secs(),
                total: timeout.as_secs(),
                unit: "s",
            });
        };
        self.host.follow(&script, line).await?;
        Ok((left, most))
    }

    async fn retire(&mut self) -> Result<String> {
        if let Some((at, _)) = self.drained_at {
            tokio::time::sleep(QUIET.saturating_sub(at.elapsed())).await;
        }
        let old: Vec<_> = self.plan.services.iter().filter_map(|service| service.from.as_ref()).collect();
        let timeout = self.plan.services.iter().map(|service| service.stop_timeout).max().unwrap_or_default();
        let script = self
            .script(
                "to stop the old slot",
                concat!(
                    include_str!("scripts/prelude.sh"),
                    include_str!("scripts/opens.sh"),
                    include_str!("scripts/retire.sh")
                ),
            )
            .args(self.still_asked())
            .arg(timeout.as_secs().to_string())
            .arg(if self.plan.remove_old { "remove" } else { "keep" })
            .arg(self.nginx.as_deref().unwrap_or_default())
            .args([RELOAD_SECONDS.to_string(), self.started.len().to_string()])
            .args(self.started.iter().flat_map(|new| [new.id.as_str(), new.address().unwrap_or("-")]))
            .args(old.iter().map(|old| &old.container))
            .limit(timeout + Duration::from_secs(60));
        let output = self.host.run(&script).await.inspect_err(|error| {
            let text = format!("{error:#}");
            self.still_used = text.contains(STILL_USED).then_some(text);
        })?;
        for Section { name, status: code, text: slot } in sections(&output)? {
            if name != "stopped" {
                continue;
            }
            if code == 137 {
                let text = format!(
                    "{slot} was killed: it did not stop within {} s of SIGTERM. Does its PID 1 handle SIGTERM, and is \
                     `stop_grace_period` long enough?",
                    timeout.as_secs()
                );
                self.host.reporter.note(Level::Warning, &self.host.name, text);
            }
            self.stopped.push((slot, code));
        }
        let said = self.stopped.iter().map(|(slot, code)| format!("{slot} ended with {code}"));
        Ok(said.collect::<Vec<_>>().join(", "))
    }

    /// Writes down that every host was confirmed.
    pub(super) async fn write_confirmed(&self) -> Result<()> {
        let text = concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/confirmed.sh"));
        self.host.run(&self.script("to write down that the new version is confirmed", text)).await?;
        self.written.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn write_record(&mut self) -> Result<String> {
        let script = self
            .script(
                "to write the history",
                concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/record.sh")),
            )
            .args([self.plan.env_file.as_deref().unwrap_or_default(), &self.plan.env_key(&self.plan.version)])
            .arg(self.plan.keep.len().to_string())
            .args(self.plan.keep.iter().map(|version| self.plan.env_key(version)))
            .args(&self.plan.prune)
            .stdin(self.released());
        // the tag of a pull goes as well, and takes no image with it
        let is_kept = |section: &Section| section.text.contains(":cutover-");
        let pruned = sections(&self.host.run(&script).await?)?.iter().filter(|section| is_kept(section)).count();
        Ok(if pruned == 0 { String::new() } else { format!("{pruned} old images removed") })
    }
}

/// Gives a drain that is under way a few seconds more once a signal has come.
async fn after_signal(cancel: &Cancel) -> Signal {
    let signal = cancel.wait().await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    signal
}
