//! Is the new slot ready? Asked over HTTP from where nginx would ask, while its container is watched.

use crate::awake;
use crate::cancel::Cancel;
use crate::host::container::Container;
use crate::host::http::{Answer, USER_AGENT};
use crate::host::script::Script;
use crate::host::{Chain, Host};
use crate::report::Event;
use crate::report::text::one_line;
use crate::swap::health::{LOOPBACK, ask, host_header, show_logs};
use crate::swap::meaning;
use crate::swap::plan::{Plan, ServicePlan};
use crate::swap::run::{HostSwap, ServiceSwap};
use anyhow::{Context as _, Result, anyhow, bail};
use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use futures_util::stream::FuturesOrdered;
use std::future::pending;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// What the host was answered, and who waits for it.
type Sender = mpsc::UnboundedSender<Result<Answer, String>>;
type Receiver = mpsc::UnboundedReceiver<Result<Answer, String>>;

pub(super) fn explain(plan: &Plan) -> String {
    plan.each(|s| format!("until {} answers GET {} on {}", s.to.slot, s.health.path, s.door()))
}

/// The script that asks the slots on the host itself, as soon as they were started.
pub(super) fn ahead(swap: &HostSwap<'_>) -> Script {
    let words = |service: &ServiceSwap<'_>| {
        let (plan, health) = (service.plan, &service.plan.health);
        let (place, name) = swap.within(&plan.to.slot, &plan.to.within);
        let project = place.split('|').next().unwrap_or_default().to_owned();
        let pause = format!("{:.3}", health.interval.as_secs_f64());
        let statuses = health.status.iter().map(|range| format!("{}-{}", range.start(), range.end()));
        let (enough, statuses) = (health.successes.to_string(), statuses.collect::<Vec<_>>().join(" "));
        let (address, port) = plan.to.published.map_or(("", plan.port), |published| (LOOPBACK, published));
        let asked = [address.to_owned(), port.to_string(), host_header(plan), health.path.clone(), pause];
        [vec![project, name.to_owned()], asked.to_vec(), vec![enough, statuses]].concat()
    };
    let longest = swap.services.iter().map(|service| service.plan.health.timeout).max().unwrap_or_default();
    Script::new("to ask the new slot", include_str!("asks.sh"))
        .set("agent", USER_AGENT)
        .args(swap.services.iter().flat_map(words))
        .limit(longest + Duration::from_secs(120))
}

pub(super) async fn run(swap: &mut HostSwap<'_>, cancel: &Cancel) -> Result<String> {
    let ahead = swap.ahead.take();
    let swap = &*swap;
    let (senders, receivers): (Vec<_>, Vec<_>) = swap.services.iter().map(|_| mpsc::unbounded_channel()).unzip();
    let waits = swap.services.iter().zip(receivers).map(|(service, answers)| wait(swap, service, answers, cancel));
    tokio::select! {
        all = try_join_all(waits) => Ok(all?.join(", ")),
        () = hand_out(swap, ahead, senders) => bail!("the new slot can't be asked"),
    }
}

/// Hands what the host says of each slot to whoever waits for it, and never ends.
async fn hand_out(swap: &HostSwap<'_>, ahead: Option<Chain<'_>>, senders: Vec<Sender>) {
    let mut senders: Vec<Option<Sender>> = senders.into_iter().map(Some).collect();
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (number, what, rest) = (words.next(), words.next(), words.next().unwrap_or_default());
        let Some(number) = number.and_then(|number| number.parse::<usize>().ok()) else { return };
        let (Some(sender), Some(service)) = (senders.get_mut(number), swap.services.get(number)) else { return };
        let is_it = |container: &Container| {
            let (id, address) = rest.split_once(' ').unwrap_or_default();
            container.id == id && (service.plan.to.published.is_some() || container.address() == Some(address))
        };
        match what {
            // another container than the one that was started
            Some("at") if !service.started.as_ref().is_some_and(is_it) => *sender = None,
            Some("answered") | Some("failed") => {
                let told = sender.as_ref().map(|sender| sender.send(answer(what == Some("answered"), rest)));
                drop(told);
            }
            _ => {}
        }
    };
    if let Some(chain) = ahead {
        // who is left waiting asks from here
        let _ = chain.follow(line).await;
    }
    senders.clear();
    pending().await
}

/// `STATUS LOCATION`, or why there is no answer.
fn answer(answered: bool, rest: &str) -> Result<Answer, String> {
    let (status, location) = rest.split_once(' ').unwrap_or((rest, ""));
    match status.parse() {
        Ok(status) if answered => {
            let location = Some(location.trim().to_owned()).filter(|location| !location.is_empty());
            Ok(Answer { status, location, body: String::new() })
        }
        _ => Err(one_line(rest, 200)),
    }
}

/// Waits until the service answers as it should, several times in a row. A container that ends meanwhile, restarted or
/// not, fails at once, with its last lines.
async fn wait(swap: &HostSwap<'_>, service: &ServiceSwap<'_>, told: Receiver, cancel: &Cancel) -> Result<String> {
    let (service, container) = (service.plan, service.new_slot()?);
    let (host, began) = (swap.host, Instant::now());
    let (slot, health) = (&service.to.slot, &service.health);
    let mut asked = Asked { times: 0, healthy: 0, last: "nothing was answered".to_owned() };
    let own = container.healthcheck();
    let answers = async {
        asked.until_healthy(host, service, container, told, began).await?;
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
    /// In a row.
    healthy: usize,
    last: String,
}

impl Asked {
    /// Waits for enough healthy answers in a row: those that the host asked for, else (it may have nothing to ask with) those
    /// to questions from here.
    async fn until_healthy(
        &mut self,
        host: &Host,
        service: &ServicePlan,
        container: &Container,
        mut told: Receiver,
        began: Instant,
    ) -> Result<()> {
        let needed = service.health.successes as usize;
        while let Some(answer) = told.recv().await {
            self.take(service, answer);
            if self.healthy >= needed {
                return Ok(());
            }
            progress(host, service, &self.last, began);
        }
        let address = container.address().with_context(|| format!("{} has no address", service.to.slot))?;
        // an answer takes two round trips, and the next question need not wait for it; no more than are needed
        let (mut tick, mut asked) = (tokio::time::interval(service.health.interval), FuturesOrdered::new());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let answer = tokio::select! {
                _ = tick.tick(), if self.healthy + asked.len() < needed => {
                    asked.push_back(ask(host, service, address));
                    continue;
                }
                Some(answer) = asked.next() => answer,
            };
            self.take(service, answer.map_err(|error| format!("{error:#}")));
            if self.healthy >= needed {
                return Ok(());
            }
            progress(host, service, &self.last, began);
        }
    }

    fn take(&mut self, service: &ServicePlan, answer: Result<Answer, String>) {
        self.times += 1;
        let is_healthy = answer.as_ref().is_ok_and(|answer| service.health.accepts(answer.status));
        self.healthy = if is_healthy { self.healthy + 1 } else { 0 };
        self.last = match answer {
            Ok(answer) if is_healthy => format!("it answered {}", answer.status),
            Ok(answer) => {
                let meaning = meaning::of_status(answer.status, answer.location.as_deref());
                format!("it answered {}{meaning}", answer.status)
            }
            Err(why) => why,
        };
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
