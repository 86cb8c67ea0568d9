//! Is the new slot ready? Asked over HTTP from where nginx would ask, while its container is watched.

use super::plan::ServicePlan;
use super::refusals::meaning;
use crate::cancel::Cancel;
use crate::host::Host;
use crate::host::container::Container;
use crate::host::http::Answer;
use crate::report::Event;
use anyhow::{Context as _, Result, bail};
use std::time::{Duration, Instant};

/// How many of a failed container's last lines are shown.
const LOG_LINES: usize = 20;

/// Waits until the service answers as it should, several times in a row. A container that exits, restarts or runs out
/// of memory fails at once, with its last lines.
pub(super) async fn wait(
    host: &Host,
    engine: &str,
    service: &ServicePlan,
    container: &Container,
    cancel: &Cancel,
) -> Result<String> {
    let began = Instant::now();
    let address = container.address().with_context(|| format!("{} has no address", service.to.slot))?;
    let (mut healthy, mut asked, mut last) = (0, 0u32, "nothing was answered".to_owned());
    while began.elapsed() < service.health.timeout {
        let tick = tokio::time::sleep(service.health.interval);
        let (answer, alive) = tokio::join!(ask(host, service, address), alive(host, engine, service, container));
        alive?;
        asked += 1;
        match answer {
            Ok(answer) if service.health.accepts(answer.status) => healthy += 1,
            Ok(answer) => {
                healthy = 0;
                last = format!("it answered {}{}", answer.status, meaning(answer.status, answer.location.as_deref()));
            }
            Err(error) => {
                healthy = 0;
                last = format!("{error:#}");
            }
        }
        if healthy >= service.health.successes {
            return Ok(format!("{} is healthy after {:.1} s", service.to.slot, began.elapsed().as_secs_f64()));
        }
        progress(host, service, &last, began);
        tokio::select! {
            () = tick => {}
            signal = cancel.wait() => bail!("stopped by {}", signal.name()),
        }
    }
    show_logs(host, engine, service, &container.id).await;
    bail!(
        "{} is not healthy after {} s: asked {asked} times for GET {} on port {}; at last {last}",
        service.to.slot,
        service.health.timeout.as_secs_f64(),
        service.health.path,
        service.port
    )
}

async fn ask(host: &Host, service: &ServicePlan, address: &str) -> Result<Answer> {
    let name = service.health.host.clone().unwrap_or_else(|| format!("{}:{}", service.to.host, service.port));
    host.get(address, service.port, &name, &service.health.path, Duration::from_secs(5)).await
}

async fn alive(host: &Host, engine: &str, service: &ServicePlan, container: &Container) -> Result<()> {
    let slot = &service.to.slot;
    let now = host.docker(engine)?.inspect(&container.id).await?;
    let state = now.state.unwrap_or_default();
    let restarts = now.restart_count.unwrap_or(0);
    let why = if state.oom_killed == Some(true) {
        "was killed for lack of memory".to_owned()
    } else if restarts > 0 || state.restarting == Some(true) {
        format!("ended with {} and was restarted", state.exit_code.unwrap_or(0))
    } else if state.running != Some(true) {
        format!("ended with {}", state.exit_code.unwrap_or(0))
    } else {
        return Ok(());
    };
    show_logs(host, engine, service, &container.id).await;
    bail!("{slot} {why}")
}

async fn show_logs(host: &Host, engine: &str, service: &ServicePlan, container: &str) {
    let Ok(docker) = host.docker(engine) else { return };
    for text in docker.logs(container, LOG_LINES).await.unwrap_or_default() {
        host.reporter.emit(Event::Output { source: service.to.slot.clone(), text });
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
