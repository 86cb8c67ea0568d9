//! What the slots receive while nginx is asked, and what is sent. The configuration file is no evidence of where requests
//! go, nor is `nginx -T`.

use crate::host::Host;
use crate::host::container::Container;
use crate::host::http::{Answer, Ask, USER_AGENT};
use crate::host::nginx::Probe;
use crate::host::script::Script;
use crate::report::text::one_line;
use crate::router::NGINX;
use crate::router::TRAFFIC;
use anyhow::{Result, bail};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// More segments than a connection with one short request and its answer brings.
const SEGMENTS_OF_OTHERS: u64 = 12;

/// How long nginx may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// One service behind one nginx: whom to ask, and whom to watch meanwhile.
pub struct Question<'a> {
    /// The host.
    pub host: &'a Host,
    /// nginx's container; it is asked at its first address.
    pub nginx: Place,
    /// The slots; `None`: not running.
    pub slots: [Option<Place>; 2],
    /// The port that each of them listens on.
    pub ports: [u16; 2],
}

/// Where a container's connections are to be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its PID 1, as the host counts.
    pub pid: i64,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Where it is asked, if not there.
    #[serde(default)]
    pub asked: Option<String>,
}

impl Place {
    /// Of a container that runs.
    pub fn of(container: &Container) -> Place {
        Place { pid: container.state.pid, addresses: container.addresses(), asked: None }
    }

    /// The address at which the host asks it.
    pub fn asked(&self) -> Option<&String> {
        self.asked.as_ref().or(self.addresses.first())
    }

    /// nginx, as the scripts take it.
    pub(crate) fn as_nginx(&self) -> String {
        format!("{}:{}", self.pid, in_hexadecimal(&self.addresses))
    }

    /// A slot that listens on this port, as the scripts take it.
    pub(crate) fn as_slot(&self, port: u16, name: &str) -> String {
        format!("{}:{port:04X}:{}:{name}", self.pid, in_hexadecimal(&self.addresses))
    }
}

/// What a slot's network namespace has counted since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted.
    pub opens: u64,
    /// Segments received.
    pub segments: u64,
}

/// What a slot has received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Where that can be read.
    pub counts: Option<Counts>,
    /// Connections from nginx that are open now.
    pub open: u64,
    /// Those that ended within the last minute.
    pub ended: u64,
    /// Those that ended within the time that was asked for.
    pub fresh: u64,
}

impl Received {
    /// Connections from nginx that are open now or ended within the last minute.
    pub fn from_nginx(&self) -> u64 {
        self.open + self.ended
    }

    /// Accepted at least so many connections more than before.
    pub fn grew(&self, before: Option<Counts>, by: u64) -> bool {
        matches!((before, self.counts), (Some(before), Some(now)) if now.opens.saturating_sub(before.opens) >= by)
    }

    /// Has accepted connections since then.
    pub fn is_touched(&self, before: Option<Counts>) -> bool {
        self.grew(before, 1)
    }

    /// Something came since then over connections that nginx keeps open.
    pub fn hears(&self, before: Option<Counts>) -> bool {
        self.open > 0 && matches!((before, self.counts), (Some(before), Some(now)) if now.segments > before.segments)
    }

    /// At least so many requests came from nginx: over new connections, or over such as nginx keeps open. A connection of
    /// somebody else's, such as a health check, brings some segments too; `surely` they are not taken for requests.
    pub fn got(&self, before: Option<Counts>, requests: u64, surely: bool) -> bool {
        let more = |now: Counts, before: Counts| {
            let others = if surely { SEGMENTS_OF_OTHERS * now.opens.saturating_sub(before.opens) } else { 0 };
            now.segments.saturating_sub(before.segments) >= requests + others
        };
        let kept = matches!((before, self.counts), (Some(before), Some(now)) if more(now, before));
        self.fresh >= requests || self.grew(before, requests) || (self.open > 0 && kept)
    }

    /// Some request came from nginx.
    pub fn is_used(&self, before: Option<Counts>) -> bool {
        self.fresh > 0 || (self.open > 0 && self.got(before, 1, true))
    }
}

impl Question<'_> {
    /// Sends so many requests at once, each over a connection of its own, and gives the statuses.
    pub async fn send(&self, probe: &Probe, requests: usize) -> Result<Vec<u16>> {
        let Some(address) = self.nginx.asked() else { bail!("nginx's container has no address") };
        let answers = join_all((0..requests).map(|_| ask(self.host, address, probe))).await;
        answers.into_iter().map(|answer| answer.map(|answer| answer.status)).collect()
    }

    /// What the slots have received up to now, and how much of it within this time.
    pub async fn received(&self, within: Duration) -> Result<[Received; 2]> {
        let centiseconds = within.as_millis().div_ceil(10).to_string();
        let script = Script::new("to see which slot receives requests", include_str!("received.sh"))
            .with(&[TRAFFIC])
            .args([self.nginx.as_nginx(), centiseconds])
            .args(self.as_words());
        Ok(self.read(&String::from_utf8_lossy(&self.host.run(&script).await?)))
    }
}

/// How many requests go through nginx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// So many.
    Exactly(usize),
    /// Two for each worker that nginx has then, four to sixteen.
    ByWorkers,
}

/// What came of requests through nginx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Through {
    /// The statuses, or why there is not one for each request.
    pub statuses: Result<Vec<u16>, String>,
    /// What the slots have received then.
    pub received: [Received; 2],
}

impl Question<'_> {
    /// Sends requests at once, each over a connection of its own, and sees what the slots have received then, and how much of
    /// it within this time: by one command on the host, else (it may have nothing to ask with) from here.
    pub async fn through(&self, probe: &Probe, requests: usize, within: Duration) -> Result<Through> {
        let began = Instant::now();
        let script = self.script(probe, Requests::Exactly(requests), "", within)?;
        match self.answered(&self.host.run(&script).await?) {
            Some(through) => Ok(through),
            None => {
                let statuses = self.send(probe, requests).await.map_err(|error| format!("{error:#}"));
                Ok(Through { statuses, received: self.received(within + began.elapsed()).await? })
            }
        }
    }

    /// The script for that. `container` is nginx's, where its workers are to be counted.
    pub fn script(&self, probe: &Probe, requests: Requests, container: &str, within: Duration) -> Result<Script> {
        let Some(address) = self.nginx.asked() else { bail!("nginx's container has no address") };
        let ask = request(self.host, probe);
        let headers = ask.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect::<String>();
        let requests = match requests {
            Requests::Exactly(number) => number.to_string(),
            Requests::ByWorkers => "workers".to_owned(),
        };
        Ok(Script::new("to see where requests through nginx go", include_str!("through.sh"))
            .with(&[NGINX, TRAFFIC])
            .set("scheme", if ask.tls { "https" } else { "http" })
            .set("address", address)
            .set("port", probe.port.to_string())
            .set("host", &ask.host)
            .set("path", &ask.path)
            .set("mark", if probe.guards.cached { "mark" } else { "" })
            .set("agent", USER_AGENT)
            .set("requests", requests)
            .set("nginx", container)
            .set("at", self.nginx.as_nginx())
            .set("last", within.as_millis().div_ceil(10).to_string())
            .args(self.as_words())
            .stdin(headers))
    }

    /// What that script printed; `None` where the host has nothing to ask with.
    pub fn answered(&self, output: &[u8]) -> Option<Through> {
        let output = String::from_utf8_lossy(output).into_owned();
        if output.lines().next() == Some("none") {
            return None;
        }
        let failed = output.lines().find_map(|line| line.strip_prefix("failed "));
        let statuses = output.lines().filter_map(|line| line.strip_prefix("answered ")?.parse().ok()).collect();
        let statuses = failed.map_or(Ok(statuses), |why| Err(one_line(why, 200)));
        Some(Through { statuses, received: self.read(&output) })
    }

    fn as_words(&self) -> impl Iterator<Item = String> {
        self.slots.iter().zip(self.ports).filter_map(|(slot, port)| Some(slot.as_ref()?.as_slot(port, "")))
    }

    fn read(&self, output: &str) -> [Received; 2] {
        let of = |slot: &Option<Place>| slot.as_ref().and_then(|slot| of_process(output, slot.pid)).unwrap_or_default();
        self.slots.each_ref().map(of)
    }
}

/// One request through nginx at this address.
pub async fn ask(host: &Host, nginx: &str, probe: &Probe) -> Result<Answer> {
    host.ask(nginx, probe.port, &request(host, probe), LIMIT).await
}

/// The same request to a slot itself, at this address and port.
pub async fn ask_directly(host: &Host, slot: &str, port: u16, probe: &Probe) -> Result<Answer> {
    host.ask(slot, port, &Ask { tls: false, ..request(host, probe) }, LIMIT).await
}

fn request(host: &Host, probe: &Probe) -> Ask {
    let secret = host.headers().iter().filter(|_| probe.secret);
    let secret = secret.map(|(name, value)| (name.clone(), value.expose().to_owned()));
    // what nobody has asked for is in no cache
    let path = if probe.guards.cached {
        let mark = if probe.path.contains('?') { '&' } else { '?' };
        format!("{}{mark}cutover={}", probe.path, crate::random::some_word())
    } else {
        probe.path.clone()
    };
    Ask { tls: probe.tls, host: probe.host.clone(), path, headers: probe.headers().into_iter().chain(secret).collect() }
}

/// What these names mean in nginx's container, where that can be asked.
pub async fn resolve(host: &Host, nginx: &str, names: &[&str]) -> Result<Vec<(String, Vec<String>)>> {
    let script = Script::new("to see what names mean to nginx", include_str!("resolve.sh"));
    let script = script.with(&[NGINX]).arg(nginx).args(names.iter().copied());
    let output = String::from_utf8_lossy(&host.run(&script).await?).into_owned();
    let read = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some((words.next()?, words.collect::<Vec<_>>()))
    };
    Ok(output.lines().filter_map(read).collect())
}

/// `OPENS SEGMENTS`, as the scripts print it.
pub(crate) fn counts(text: &str) -> Option<Counts> {
    let (opens, segments) = text.trim().split_once(' ')?;
    Some(Counts { opens: opens.parse().ok()?, segments: segments.parse().ok()? })
}

/// The line `PID OPENS SEGMENTS OPEN ENDED FRESH` of this process.
fn of_process(output: &str, pid: i64) -> Option<Received> {
    let lines = output.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let known = |fields: &Vec<&str>| fields.len() == 6 && fields[0].parse() == Ok(pid);
    let fields = lines.into_iter().find(known)?;
    let number = |at: usize| fields[at].parse().unwrap_or(0);
    let counts = counts(&format!("{} {}", fields[1], fields[2]));
    Some(Received { counts, open: number(3), ended: number(4), fresh: number(5) })
}

/// Addresses as the scripts take them.
fn in_hexadecimal(addresses: &[String]) -> String {
    let addresses = addresses.iter().filter_map(|address| address.parse().ok());
    addresses.map(hexadecimal).collect::<Vec<_>>().join(",")
}

/// An address as the kernel prints it in /proc/net/tcp and tcp6: words of 32 bits in its own byte order, which is that
/// of a little-endian machine here.
pub(crate) fn hexadecimal(address: IpAddr) -> String {
    let bytes = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let word = |word: &[u8]| word.iter().rev().map(|byte| format!("{byte:02X}")).collect::<String>();
    bytes.chunks(4).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_counted_is_read() {
        let output = "7 42 90 1 3 2\n77 - - 0 0 0\n";
        let seven = of_process(output, 7).expect("a line");
        let before = |opens, segments| Some(Counts { opens, segments });
        assert_eq!(seven, Received { counts: before(42, 90), open: 1, ended: 3, fresh: 2 });
        assert_eq!(of_process(output, 77), Some(Received::default()));
        assert_eq!(of_process(output, 8), None);
        assert!(seven.grew(before(39, 0), 3) && !seven.grew(before(40, 0), 3) && !seven.grew(None, 0));
        // over new connections, over kept ones, and not at all
        let got = |opens, segments, surely| seven.got(before(opens, segments), 3, surely);
        assert!(got(39, 90, false) && got(42, 87, true) && !got(42, 88, false));
        assert!(got(41, 85, false) && !got(41, 85, true), "a health check was it");
        let nobody = Received { open: 0, fresh: 0, ..seven };
        assert!(!nobody.got(before(42, 0), 3, false), "segments that did not come from nginx");
    }

    #[test]
    fn addresses_are_written_as_the_kernel_does() {
        let hexadecimal = |text: &str| in_hexadecimal(&[text.to_owned()]);
        assert_eq!(hexadecimal("127.0.0.1"), "0100007F");
        assert_eq!(hexadecimal("2001:db8::1"), "B80D0120000000000000000001000000");
    }
}
