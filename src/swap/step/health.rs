//! Is the new slot ready? Asked over HTTP from where nginx would ask, while its container is watched.

use crate::awake;
use crate::cancel::Cancel;
use crate::host::Host;
use crate::host::container::Container;
use crate::host::script::Script;
use crate::report::Event;
use crate::report::text::one_line;
use crate::swap::health::{ask, show_logs};
use crate::swap::meaning;
use crate::swap::plan::{Plan, ServicePlan};
use crate::swap::run::{HostSwap, ServiceSwap};
use anyhow::{Context as _, Result, anyhow, bail};
use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use futures_util::stream::FuturesOrdered;
use std::future::pending;
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;

pub(super) fn explain(plan: &Plan) -> String {
    plan.each(|s| format!("until {} answers GET {} on {}", s.to.slot, s.health.path, s.door()))
}

pub(super) async fn run(swap: &HostSwap<'_>, cancel: &Cancel) -> Result<String> {
    let each = swap.services.iter().map(|service| wait(swap, service, cancel));
    Ok(try_join_all(each).await?.join(", "))
}

/// Waits until the service answers as it should, several times in a row. A container that ends meanwhile, restarted or
/// not, fails at once, with its last lines.
async fn wait(swap: &HostSwap<'_>, service: &ServiceSwap<'_>, cancel: &Cancel) -> Result<String> {
    let (service, container) = (service.plan, service.new_slot()?);
    let (host, began) = (swap.host, Instant::now());
    let (slot, health) = (&service.to.slot, &service.health);
    let mut asked = Asked { times: 0, last: "nothing was answered".to_owned() };
    let own = container.healthcheck();
    let answers = async {
        asked.until_healthy(host, service, container, began).await?;
        match &own {
            Some(test) => {
                own_healthcheck(host, slot, container, test, health.timeout.saturating_sub(began.elapsed())).await
            }
            None => Ok(()),
        }
    };
    // its own healthcheck says by itself that its time is over
    let patience = health.timeout + if own.is_some() { Duration::from_secs(10) } else { Duration::ZERO };
    let why = tokio::select! {
        healthy = answers => match healthy {
            Ok(()) => return Ok(format!("{slot} is healthy after {:.1} s", began.elapsed().as_secs_f64())),
            Err(error) => format!("{error:#}"),
        },
        end = ended(swap, container) => end?,
        () = awake::sleep(patience) => format!(
            "{slot} is not healthy after {} s: asked {} times for GET {} on {}; at last {}",
            health.timeout.as_secs_f64(), asked.times, health.path, service.door(), asked.last
        ),
        signal = cancel.wait() => bail!("stopped by {}", signal.name()),
    };
    show_logs(swap, slot, &container.id).await;
    bail!(why)
}

/// How this container ended, once it does. Of another one its own wait says it.
async fn ended(swap: &HostSwap<'_>, container: &Container) -> Result<String> {
    match &swap.watch {
        Some(watch) => match watch.clone().await.map_err(|error| anyhow!(error))? {
            end if end.container == container.id => Ok(end.text),
            _ => pending().await,
        },
        None => pending().await,
    }
}

/// What was asked so far.
struct Asked {
    times: u32,
    last: String,
}

impl Asked {
    async fn until_healthy(
        &mut self,
        host: &Host,
        service: &ServicePlan,
        container: &Container,
        began: Instant,
    ) -> Result<()> {
        let address = container.address().with_context(|| format!("{} has no address", service.to.slot))?;
        let (needed, mut healthy) = (service.health.successes as usize, 0);
        // an answer takes two round trips, and the next question need not wait for it; no more than are needed
        let (mut tick, mut asked) = (tokio::time::interval(service.health.interval), FuturesOrdered::new());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let answer = tokio::select! {
                _ = tick.tick(), if healthy + asked.len() < needed => {
                    asked.push_back(ask(host, service, address));
                    continue;
                }
                Some(answer) = asked.next() => answer,
            };
            self.times += 1;
            self.last = match answer {
                Ok(answer) if service.health.accepts(answer.status) => {
                    healthy += 1;
                    if healthy >= needed {
                        return Ok(());
                    }
                    format!("it answered {}", answer.status)
                }
                Ok(answer) => {
                    healthy = 0;
                    format!(
                        "it answered {}{}",
                        answer.status,
                        meaning::of_status(answer.status, answer.location.as_deref())
                    )
                }
                Err(error) => {
                    healthy = 0;
                    format!("{error:#}")
                }
            };
            progress(host, service, &self.last, began);
        }
    }
}

/// The container's own healthcheck counts as well. Docker's word is taken, but not waited for where the same test passes now:
/// its first one comes after a whole interval.
async fn own_healthcheck(host: &Host, slot: &str, container: &Container, test: &[&str], left: Duration) -> Result<()> {
    let script = Script::new("to ask the new slot's own healthcheck", include_str!("health.sh"))
        .args([&container.id, &left.as_secs().max(1).to_string()])
        .args(test.iter().copied())
        .limit(left + Duration::from_secs(30));
    let said =
        host.run(&script).await.with_context(|| format!("{slot} answers, but its own healthcheck does not pass"))?;
    match String::from_utf8_lossy(&said).trim() {
        "" => Ok(()),
        said => bail!("{slot} answers, but its own healthcheck does not pass: {}", one_line(said, 300)),
    }
}

fn progress(host: &Host, service: &ServicePlan, last: &str, began: Instant) {
    host.reporter.emit(Event::Progress {
        host: host.name.clone(),
        text: format!("health of {}: {last}", service.to.slot),
        done: began.elapsed().as_secs(),
        total: service.health.timeout.as_secs(),
        unit: "s",
    });
}
