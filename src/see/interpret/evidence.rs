//! Which slot serves, and how that can be seen. What works while looking is what is demanded after a switch.

use crate::host::nginx::Probe;
use crate::see::read::traffic::{Counts, Question, Received, Through, ask_directly};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Requests sent to tell the slots apart: more than a stray connection or health check makes meanwhile.
const REQUESTS: usize = 3;

/// More kinds of requests are not tried: each costs a moment.
const MOST_TRIED: usize = 5;

/// Requests that must be further apart than this would take too long.
pub(crate) const FURTHEST_APART: Duration = Duration::from_secs(2);

/// How long clients' requests are counted where none of ours gets through, and how many let one expect the next in time.
const WATCHED: Duration = Duration::from_secs(1);
const BUSY: u64 = 2;

/// How it is seen where nginx sends requests, the best first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The plainest request through nginx that leads to the service reaches its slot.
    Probe,
    /// Nginx answers that one by itself; a request to another location or server block reaches the slot.
    Other,
    /// No request of ours gets through; those of clients do, and are counted.
    Clients,
    /// Nobody's do: nginx's workers have the configuration, and the name in it means the slot alone.
    Workers,
    /// Nothing serves, so that nothing could be tried: a request where it gets through, else the workers.
    #[default]
    Untried,
}

/// Which slot serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Live {
    /// It received what nginx was asked for.
    Proved(usize),
    /// The configuration file names it and it runs, but nothing was seen to reach it.
    Assumed(usize),
    /// No slot serves.
    #[default]
    None,
}

impl Live {
    /// The slot, however it is known.
    pub fn slot(self) -> Option<usize> {
        match self {
            Live::Proved(slot) | Live::Assumed(slot) => Some(slot),
            Live::None => None,
        }
    }
}

/// What was seen of one service.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// The slot that serves.
    pub live: Live,
    /// How that was seen.
    pub evidence: Evidence,
    /// The request that gets through, where one does.
    pub probe: Option<Probe>,
    /// The last request that does not, and what came of it.
    pub refused: Option<String>,
    /// Nginx can't reach what it sends requests to: its answer to the plainest one.
    pub unreached: Option<String>,
    /// What each slot has received.
    pub received: [Received; 2],
    /// Both slots received requests while it was looked.
    pub both: bool,
}

/// What to look at.
pub(crate) struct Looking<'a> {
    pub(crate) question: Question<'a>,
    /// The slot that nginx's file names.
    pub(crate) in_conf: usize,
    /// What each slot had received before.
    pub(crate) before: [Option<Counts>; 2],
    /// When that was.
    pub(crate) since: Instant,
    /// Requests that lead to the service, plainest first.
    pub(crate) candidates: &'a [Probe],
    /// nginx is on the host, from where others ask the slots as well: connections are nobody's in particular.
    pub(crate) on_host: bool,
}

impl Looking<'_> {
    /// Tries the candidates one after the other until one gets through to a slot.
    pub(crate) async fn look(mut self) -> Looked {
        let runs = self.question.slots[self.in_conf].is_some();
        let mut looked =
            Looked { live: if runs { Live::Assumed(self.in_conf) } else { Live::None }, ..Looked::default() };
        if self.question.nginx.asked().is_none() || self.question.slots.iter().all(Option::is_none) {
            looked.probe = self.candidates.iter().find(|probe| probe.weight() == 0).cloned();
            return looked;
        }
        let gentle = |probe: &&Probe| !probe.guards.shared_limit && probe.guards.one_every <= Some(FURTHEST_APART);
        for (number, probe) in self.candidates.iter().filter(gentle).take(MOST_TRIED).enumerate() {
            let (through, received) = self.try_one(probe, &mut looked).await;
            looked.received = received;
            if let Some(slot) = through {
                looked.live = Live::Proved(slot);
                looked.evidence =
                    if number == 0 && *probe == self.candidates[0] { Evidence::Probe } else { Evidence::Other };
                looked.probe = Some(probe.clone());
                return looked;
            }
        }
        self.by_clients(&mut looked).await;
        looked
    }

    /// The slot that one candidate reaches.
    async fn try_one(&mut self, probe: &Probe, looked: &mut Looked) -> (Option<usize>, [Received; 2]) {
        let requests = if probe.guards.one_every.is_some() || probe.guards.closed { 1 } else { REQUESTS };
        // another run may have asked a moment ago
        tokio::time::sleep(probe.guards.one_every.unwrap_or_default()).await;
        let through = self.question.through(probe, requests, self.since.elapsed()).await;
        let Ok(Through { statuses: answers, received }) = through else { return (None, looked.received) };
        let slot = tell(&received, &self.before, requests as u64, probe.guards.closed);
        looked.both |= [0, 1].iter().all(|slot| received[*slot].is_used(self.before[*slot]));
        self.before = received.map(|slot| slot.counts);
        self.since = Instant::now();
        let why = match (answers, slot) {
            (Err(why), _) => {
                if probe.weight() == 0 && why.starts_with("no answer within") {
                    looked.unreached.get_or_insert_with(|| why.clone());
                }
                why
            }
            (Ok(statuses), Some(slot)) if self.is_the_slots(probe, statuses[0], slot).await => {
                return (Some(slot), received);
            }
            (Ok(statuses), _) => {
                let unreached = statuses.iter().copied().find(|status| matches!(status, 502..=504));
                if probe.weight() == 0 {
                    looked.unreached = looked.unreached.take().or(unreached.map(|status| status.to_string()));
                }
                unreached.or(statuses.first().copied()).unwrap_or_default().to_string()
            }
        };
        looked.refused = Some(format!("{}: {why}", probe.at));
        (None, received)
    }

    /// Whether an answer is the slot's own: what it says itself, or a success, which nginx does not make up.
    async fn is_the_slots(&self, probe: &Probe, status: u16, slot: usize) -> bool {
        if (200..300).contains(&status) {
            return true;
        }
        let address = self.question.slots[slot].as_ref().and_then(|slot| slot.addresses.first());
        let Some(address) = address else { return false };
        let own = ask_directly(self.question.host, address, self.question.ports[slot], probe).await;
        own.is_ok_and(|own| own.status == status)
    }

    /// What can be said without a request of ours.
    async fn by_clients(&mut self, looked: &mut Looked) {
        if let Ok(received) = self.question.received(self.since.elapsed()).await {
            looked.both |= [0, 1].iter().all(|slot| received[*slot].is_used(self.before[*slot]));
            looked.received = received;
        }
        looked.evidence = Evidence::Workers;
        if self.on_host {
            return;
        }
        let slot = match looked.received.map(|slot| slot.from_nginx()) {
            [some, 0] if some > 0 => 0,
            [0, some] if some > 0 => 1,
            _ => return,
        };
        looked.live = Live::Proved(slot);
        // what was received before may have been requests of ours
        let (before, began) = (looked.received[slot].counts, Instant::now());
        tokio::time::sleep(WATCHED).await;
        let Ok(received) = self.question.received(began.elapsed()).await else { return };
        let now = received[slot];
        if now.fresh >= BUSY || (now.open > 0 && now.got(before, 2 * BUSY, true)) {
            looked.evidence = Evidence::Clients;
        }
    }
}

/// The one slot that received so many requests. Where both accepted connections, those from nginx tell.
fn tell(received: &[Received; 2], before: &[Option<Counts>; 2], requests: u64, surely: bool) -> Option<usize> {
    let got = [0, 1].map(|slot| received[slot].got(before[slot], requests, surely));
    let grew = [0, 1].map(|slot| received[slot].grew(before[slot], requests));
    let fresh = received.map(|slot| slot.fresh >= requests);
    [fresh, grew, got].into_iter().find_map(|which| match which {
        [true, false] => Some(0),
        [false, true] => Some(1),
        _ => None,
    })
}

impl Evidence {
    /// For people: what a release will have to show for it.
    pub fn explain(self, probe: Option<&Probe>, slot: &str) -> String {
        let at = probe.map_or("", |probe| probe.at.as_str());
        match self {
            Evidence::Probe => format!("requests to {at} reach {slot}"),
            Evidence::Other => format!("requests to another place, {at}, reach {slot}"),
            Evidence::Clients => format!("clients' connections reach {slot}; requests of cutover's own don't get through"),
            Evidence::Workers => {
                "nginx's workers have the configuration, and the name in it means the slot alone; no request could be followed"
                    .to_owned()
            }
            Evidence::Untried => "nothing serves yet, so nothing could be tried".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slot_must_stand_out() {
        let counts = |opens, segments| Some(Counts { opens, segments });
        let slot =
            |opens, segments, open, fresh| Received { counts: counts(opens, segments), open, ended: fresh, fresh };
        let before = [counts(10, 10), counts(10, 10)];
        for (received, told) in [
            ([slot(13, 30, 0, 3), slot(10, 10, 0, 0)], Some(0)),
            // health checks of others
            ([slot(13, 30, 0, 3), slot(14, 40, 0, 0)], Some(0)),
            // nginx closes first, so nothing is left to see here
            ([slot(10, 10, 0, 0), slot(13, 30, 0, 0)], Some(1)),
            // over connections that nginx keeps
            ([slot(10, 14, 1, 0), slot(10, 10, 0, 0)], Some(0)),
            // nginx answered by itself
            ([slot(10, 10, 1, 0), slot(10, 10, 0, 0)], None),
            ([slot(13, 30, 0, 3), slot(13, 30, 0, 3)], None),
        ] {
            assert_eq!(tell(&received, &before, 3, false), told, "{received:?}");
        }
    }
}
