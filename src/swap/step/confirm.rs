//! Proof that the new version is live, of the kind that worked before the switch.

use crate::host::Chain;
use crate::host::nginx::Probe;
use crate::host::script::Script;
use crate::router::{NGINX, Router};
use crate::see::interpret::evidence::{Evidence, FURTHEST_APART};
use crate::see::read::traffic::{self, Counts, Place, Question, Received, Requests, resolve};
use crate::swap::plan::{OldSlot, Plan};
use crate::swap::run::{HostSwap, ServiceSwap};
use anyhow::{Context as _, Result, anyhow, bail};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often requests are sent before it counts as failed.
const ROUNDS: usize = 3;

/// How long a client is waited for.
const CLIENTS: Duration = Duration::from_secs(45);

/// How long an old slot that was reached in every round is watched, once nginx has no old worker left that could do so.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Everything that a container received since it was started.
const ALL: Duration = Duration::from_secs(60);

pub(super) fn explain(plan: &Plan) -> String {
    plan.each(|service| match service.evidence {
        Evidence::Probe | Evidence::Other | Evidence::Untried => {
            format!("see requests through nginx reach {}", service.to.slot)
        }
        Evidence::Clients => format!("see clients' requests reach {}", service.to.slot),
        Evidence::Workers => format!("see that nginx's new workers know {} alone", service.to.slot),
    })
}

/// Sees every service's new slot receive what nginx is asked for. nginx's old workers are known to be leaving already. A new
/// slot that has ended meanwhile is known at once: nobody answers at its address, and nginx waits for seconds.
pub(super) async fn run(swap: &mut HostSwap<'_>) -> Result<String> {
    let ahead = swap.ahead.take();
    let (swap, ended) = (&*swap, swap.end_of_any());
    tokio::select! {
        all = prove(swap, ahead) => Ok(all?.join(", ")),
        end = ended => bail!(end.text),
    }
}

/// Every service's proof. What follows the reload in the same command is the first round of those that it asked for.
async fn prove(swap: &HostSwap<'_>, ahead: Option<Chain<'_>>) -> Result<Vec<String>> {
    let mut first = BTreeMap::new();
    if let Some(mut chain) = ahead {
        for service in asked_ahead(swap) {
            // what could not be asked there is asked from here
            let Ok(output) = chain.next().await else { break };
            first.insert(&service.plan.name, output);
        }
    }
    let each = swap.services.iter().map(|service| Proof { swap, service, first: first.remove(&service.plan.name) });
    try_join_all(each.collect::<Vec<_>>().into_iter().map(async |proof| proof.find().await)).await
}

/// The services for which nginx can be asked in the command that reloads it.
fn asked_ahead<'b>(swap: &'b HostSwap<'_>) -> impl Iterator<Item = &'b ServiceSwap<'b>> {
    swap.services.iter().filter(|service| {
        let evidence = service.plan.evidence;
        let by_probe = matches!(evidence, Evidence::Probe | Evidence::Other | Evidence::Untried);
        by_probe && service.plan.probe.as_ref().is_some_and(|probe| probe.guards.one_every.is_none())
    })
}

/// Scripts that ask nginx for these services, to run once it has reloaded.
pub(super) fn ahead(swap: &HostSwap<'_>) -> Result<Vec<Script>> {
    let nginx = swap.nginx.container.as_deref().unwrap_or_default();
    let script = |service: &ServiceSwap<'_>| {
        let probe = service.plan.probe.as_ref().context("no request is known")?;
        Proof { swap, service, first: None }.question()?.script(probe, Requests::ByWorkers, nginx, ALL)
    };
    asked_ahead(swap).map(script).collect()
}

/// The proof for one service.
struct Proof<'a> {
    swap: &'a HostSwap<'a>,
    service: &'a ServiceSwap<'a>,
    /// What came of a first round of requests, which went out as soon as nginx had reloaded.
    first: Option<Vec<u8>>,
}

impl Proof<'_> {
    async fn find(&self) -> Result<String> {
        let name = self.means_it().await?;
        match (self.service.plan.evidence, &self.service.plan.probe) {
            (Evidence::Clients, _) => self.by_clients().await,
            (Evidence::Workers, _) | (_, None) if self.service.plan.late => bail!(
                "{}: no request of cutover's own could show where {} leads, and nothing else proves it",
                self.service.plan.name,
                self.service.plan.words
            ),
            (Evidence::Workers, _) | (_, None) => Ok(self.by_workers(&name)),
            (evidence, Some(probe)) => match self.by_probe(probe).await? {
                Reached::All(text) => Ok(text),
                Reached::Not(status) if evidence == Evidence::Untried && !self.service.plan.late => {
                    Ok(format!("{}; nginx answers {status} by itself", self.by_workers(&name)))
                }
                Reached::Not(_) => {
                    bail!(
                        "{}: requests through nginx don't reach {}",
                        self.service.plan.name,
                        self.service.plan.to.slot
                    )
                }
            },
        }
    }

    /// The name that nginx uses means the new slot alone: as the switch saw it, or asked now where nginx was only started.
    async fn means_it(&self) -> Result<Vec<String>> {
        if self.swap.plan.nginx.kind == Router::Host {
            return Ok(Vec::new()); // a port of the host, which Docker gives to one container
        }
        let host = &self.service.plan.to.host;
        let seen = |(name, address): &(String, String)| (name == host).then(|| address.clone());
        let mut addresses: Vec<String> = self.swap.nginx.resolved.iter().filter_map(seen).collect();
        if let (true, Some(nginx)) = (self.service.at_switch.is_none(), &self.swap.nginx.container) {
            let resolved = resolve(self.swap.host, nginx, &[host.as_str()]).await?;
            addresses = resolved.into_iter().flat_map(|(_, addresses)| addresses).collect();
        }
        let own = self.service.new_slot()?.addresses();
        if let Some(other) = addresses.iter().find(|address| !own.contains(address)) {
            bail!("in nginx's container {host} means {other} too, which is not {}", self.service.plan.to.slot);
        }
        Ok(addresses)
    }

    fn by_workers(&self, addresses: &[String]) -> String {
        let slot = &self.service.plan.to.slot;
        match addresses.first() {
            Some(address) => {
                format!(
                    "nginx's workers are new, and {} means {address} to them, which is {slot}",
                    self.service.plan.to.host
                )
            }
            None => format!("nginx's workers are new, with the configuration that names {slot}"),
        }
    }

    fn question(&self) -> Result<Question<'_>> {
        let slots = [Some(Place::of(self.service.new_slot()?)), self.service.plan.from.as_ref().map(OldSlot::place)];
        let nginx = self.swap.nginx.place.clone();
        if nginx.asked().is_none() {
            bail!("nginx's container has no address");
        }
        let ports = [self.service.plan.port, self.service.plan.old_port()];
        Ok(Question { host: self.swap.host, nginx, slots, ports })
    }

    /// What the new and the old slot had received when nginx was switched; asked now where it was not.
    async fn before(&self, question: &Question<'_>) -> Result<[Option<Counts>; 2]> {
        match self.service.at_switch {
            Some(counts) => Ok(counts),
            None => Ok(question.received(ALL).await?.map(|slot| slot.counts)),
        }
    }

    /// Sends requests over new connections, more than there are workers, until all of them reached the new slot and the old
    /// one received nothing. It may receive some for a while, but from old workers alone: for clients whose connections they have.
    async fn by_probe(&self, probe: &Probe) -> Result<Reached> {
        let question = self.question()?;
        let mut before = self.before(&question).await?;
        let spaced = probe.guards.one_every;
        let requests = if spaced.is_some() { 1 } else { (2 * self.swap.nginx.workers).clamp(4, 16) };
        let slot = &self.service.plan.to.slot;
        let (mut reached, mut status) = (false, 0);
        for round in 1..=ROUNDS {
            tokio::time::sleep(spaced.unwrap_or_default().min(FURTHEST_APART)).await;
            let first = self.first.as_ref().filter(|_| round == 1).and_then(|output| question.answered(output));
            let asked = match first.filter(|first| first.statuses.as_ref().is_ok_and(|all| all.len() == requests)) {
                Some(first) => first,
                None => question.through(probe, requests, ALL).await?,
            };
            let statuses = asked.statuses.map_err(|why| anyhow!("nginx can't be asked: {why}"))?;
            let unreached = statuses.iter().copied().find(|status| matches!(status, 502..=504));
            status = unreached.or(statuses.first().copied()).unwrap_or_default();
            if unreached.is_some() && spaced.is_none() {
                bail!("nginx answers {status} for {}{}", probe.host, probe.path);
            }
            let after = asked.received;
            if after[0].counts.is_none() {
                return Ok(Reached::All(format!("nginx's workers are new and answer {status}")));
            }
            reached = match self.swap.plan.nginx.kind {
                // from the host others ask the slot too, as the health check did
                Router::Host => Received { ended: 0, fresh: 0, ..after[0] }.got(before[0], requests as u64, false),
                _ => got_all(&after[0], before[0], requests as u64, round as u64),
            };
            let touched = after[1].is_touched(before[1]) || after[1].hears(before[1]);
            if reached && !touched {
                let all = if requests == 1 { "it".to_owned() } else { format!("all {requests}") };
                return Ok(Reached::All(format!("{slot} answers {status} through nginx: {all} of {}", probe.at)));
            }
            before = after.map(|slot| slot.counts);
        }
        if !reached {
            return Ok(Reached::Not(status));
        }
        let old = self.service.plan.from.as_ref().map_or("the old slot", |old| old.slot.as_str());
        if self.is_without_old_workers().await? && self.still_reaches_old(&question, probe, requests).await? {
            bail!("{}: requests through nginx reach {old} as well as {slot}", self.service.plan.name);
        }
        Ok(Reached::All(format!("{slot} answers {status} through nginx, while leaving workers still use {old}")))
    }

    /// No worker of before the switch is left.
    async fn is_without_old_workers(&self) -> Result<bool> {
        let script = self.swap.script("to see whether nginx has old workers", include_str!("leaving.sh"));
        let nginx = self.swap.nginx.container.as_deref().unwrap_or_default();
        let printed = self.swap.host.run(&script.with(&[NGINX]).set("nginx", nginx)).await?;
        Ok(printed.trim_ascii() == b"0")
    }

    /// The old slot has connections from nginx that are open, or ended since this began to look: requests of somebody else's
    /// come when they come, so it looks for a while.
    async fn still_reaches_old(&self, question: &Question<'_>, probe: &Probe, requests: usize) -> Result<bool> {
        let began = Instant::now();
        question.send(probe, requests).await?;
        loop {
            let [_, old] = question.received(began.elapsed()).await?;
            if old.open > 0 || old.fresh > 0 || began.elapsed() > SECOND_LOOK {
                return Ok(old.open > 0 || old.fresh > 0);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits for a client's request.
    async fn by_clients(&self) -> Result<String> {
        let (question, began) = (self.question()?, Instant::now());
        let slot = &self.service.plan.to.slot;
        while began.elapsed() < CLIENTS {
            let [new, _] = question.received(ALL).await?;
            if new.from_nginx() > 0 {
                return Ok(format!("clients' connections reach {slot} through nginx: {} so far", new.from_nginx()));
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        bail!(
            "{}: no client's request reached {slot} through nginx within {} s",
            self.service.plan.name,
            CLIENTS.as_secs()
        )
    }
}

/// What came of requests through nginx.
enum Reached {
    /// All of them reached the new slot, in these words.
    All(String),
    /// They did not; the last status.
    Not(u16),
}

/// Every connection that a new slot has from nginx came after the switch, since it had none before: those of this round and
/// of the rounds before.
fn got_all(new: &Received, before: Option<Counts>, requests: u64, round: u64) -> bool {
    new.from_nginx() >= requests * round || Received { fresh: 0, ..*new }.got(before, requests, false)
}

/// What was put back, asked for once through nginx: which slot answers what, where all do. `None`: that can't be said.
pub async fn serves(swap: &HostSwap<'_>) -> Option<String> {
    let nginx = swap.nginx.place.asked()?;
    let mut all = Vec::new();
    for service in &swap.plan.services {
        let (old, probe) = (service.from.as_ref()?, service.probe.as_ref()?);
        let tried = service.evidence <= Evidence::Other && probe.guards.one_every.is_none();
        let answer = if tried { traffic::ask(swap.host, nginx, probe).await.ok()? } else { return None };
        all.push((answer.status < 500).then(|| format!("{} answers {} through nginx", old.slot, answer.status))?);
    }
    Some(all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_of_a_round_must_have_reached_the_new_slot() {
        let seen = |opens, ended| {
            let counts = Some(Counts { opens, segments: 10 * opens });
            Received { counts, open: 0, ended, fresh: ended }
        };
        let before = |opens| Some(Counts { opens, segments: 10 * opens });
        assert!(got_all(&seen(8, 8), before(0), 8, 1) && got_all(&seen(0, 8), None, 8, 1));
        assert!(!got_all(&seen(7, 7), before(0), 8, 1), "one of them went elsewhere");
        assert!(!got_all(&seen(11, 11), before(7), 8, 2), "half of each round went elsewhere");
        assert!(got_all(&seen(15, 15), before(7), 8, 2));
    }
}
