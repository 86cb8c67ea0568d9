//! Where nginx really sends a request: what the slots receive while nginx is asked. The configuration file is no
//! evidence, nor is `nginx -T`.

use crate::host::Host;
use crate::host::http::Answer;
use crate::host::nginx::Probe;
use crate::host::script::Script;
use anyhow::{Result, anyhow, bail};
use futures_util::future::join_all;
use std::net::IpAddr;
use std::time::Duration;

const RECEIVED: &str = concat!(include_str!("scripts/opens.sh"), include_str!("scripts/received.sh"));

/// Requests sent to tell the slots apart: more than a stray connection or health check makes meanwhile.
const REQUESTS: usize = 3;

/// One service behind one nginx: whom to ask, and whom to watch meanwhile.
pub struct Question<'a> {
    /// The host.
    pub host: &'a Host,
    /// The addresses of nginx's container; it is asked at the first.
    pub nginx: &'a [String],
    /// What to ask for.
    pub probe: &'a Probe,
    /// PID 1 of the slots, as the host counts; `None`: not running.
    pub pids: [Option<i64>; 2],
    /// The port that the slots listen on.
    pub port: u16,
}

/// What a slot has received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Connections accepted so far, where that can be read.
    pub opens: Option<u64>,
    /// Connections from nginx that are open now or ended within the last minute.
    pub from_nginx: u64,
}

impl Received {
    /// Accepted as many connections as requests were sent.
    pub fn grew_since(&self, before: Option<u64>) -> bool {
        matches!((before, self.opens), (Some(before), Some(now)) if now.saturating_sub(before) >= REQUESTS as u64)
    }
}

impl Question<'_> {
    /// Asks through nginx and says which slot received the requests, `None` where that can't be told.
    ///
    /// `before` are the connections that each slot had accepted before. Where nginx keeps connections to its upstream
    /// open, none is made for the requests: then the slot with connections from nginx is the one.
    pub async fn who_answers(&self, before: [Option<u64>; 2]) -> Result<Option<usize>> {
        if self.pids.iter().all(Option::is_none) {
            return Ok(None);
        }
        let (_, after) = self.ask_often().await?;
        let grew = [after[0].grew_since(before[0]), after[1].grew_since(before[1])];
        Ok(tell(grew, [after[0].from_nginx, after[1].from_nginx]))
    }

    /// One request through nginx.
    async fn ask(&self) -> Result<Answer> {
        let Some(address) = self.nginx.first() else { bail!("nginx's container has no address") };
        ask(self.host, address, self.probe).await
    }

    /// What the slots have received up to now.
    pub async fn received(&self) -> Result<[Received; 2]> {
        let nginx = self.nginx.iter().filter_map(|address| address.parse().ok()).map(in_hexadecimal);
        let script = Script::new("to see which slot receives requests", RECEIVED)
            .args([self.port.to_string(), nginx.collect::<Vec<_>>().join(",")])
            .args(self.pids.iter().flatten().map(i64::to_string));
        let output = String::from_utf8_lossy(&self.host.run(&script).await?).into_owned();
        Ok(self.pids.map(|pid| pid.and_then(|pid| of_process(&output, pid)).unwrap_or_default()))
    }

    /// A status, of an upstream that is not reached if there was one, and what the slots have received after that.
    pub async fn ask_often(&self) -> Result<(u16, [Received; 2])> {
        let answers = join_all((0..REQUESTS).map(|_| self.ask())).await.into_iter().collect::<Result<Vec<_>>>();
        let answers = answers.map_err(|failed| anyhow!("nginx can't be asked: {failed:#}"))?;
        let mut statuses = answers.iter().map(|answer| answer.status);
        let unreached = statuses.clone().find(|status| matches!(status, 502..=504));
        Ok((unreached.or(statuses.next()).unwrap_or_default(), self.received().await?))
    }
}

/// One request through nginx at this address.
pub async fn ask(host: &Host, nginx: &str, probe: &Probe) -> Result<Answer> {
    let limit = Duration::from_secs(5);
    host.get_maybe_tls(nginx, probe.port, probe.tls, &probe.host, &probe.path, limit).await
}

/// Exactly one slot grew, or none did and exactly one has connections from nginx.
fn tell(grew: [bool; 2], from_nginx: [u64; 2]) -> Option<usize> {
    match (grew, from_nginx) {
        ([true, false], _) => Some(0),
        ([false, true], _) => Some(1),
        ([false, false], [some, 0]) if some > 0 => Some(0),
        ([false, false], [0, some]) if some > 0 => Some(1),
        _ => None,
    }
}

/// The line `PID OPENS CONNECTIONS` of this process.
fn of_process(output: &str, pid: i64) -> Option<Received> {
    let lines = output.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let known = |fields: &Vec<&str>| fields.len() == 3 && fields[0].parse() == Ok(pid);
    let fields = lines.into_iter().find(known)?;
    Some(Received { opens: fields[1].parse().ok(), from_nginx: fields[2].parse().unwrap_or(0) })
}

/// An address as the kernel prints it in /proc/net/tcp and tcp6: words of 32 bits in its own byte order, which is that
/// of a little-endian machine here.
fn in_hexadecimal(address: IpAddr) -> String {
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
    fn one_slot_must_stand_out() {
        for (grew, from_nginx, slot) in [
            ([true, false], [0, 9], Some(0)),
            ([false, true], [9, 0], Some(1)),
            ([true, true], [9, 9], None),
            ([false, false], [2, 0], Some(0)),
            ([false, false], [2, 1], None),
            ([false, false], [0, 0], None),
        ] {
            assert_eq!(tell(grew, from_nginx), slot, "{grew:?} {from_nginx:?}");
        }
    }

    #[test]
    fn what_the_host_counted_is_read() {
        let output = "7 42 3\n77 - 0\n";
        assert_eq!(of_process(output, 7), Some(Received { opens: Some(42), from_nginx: 3 }));
        assert_eq!(of_process(output, 77), Some(Received { opens: None, from_nginx: 0 }));
        assert_eq!(of_process(output, 8), None);
        let now = Received { opens: Some(42), from_nginx: 0 };
        assert!(now.grew_since(Some(39)) && !now.grew_since(Some(40)) && !now.grew_since(None));
    }

    #[test]
    fn addresses_are_written_as_the_kernel_does() {
        let hexadecimal = |text: &str| in_hexadecimal(text.parse().expect("an address"));
        assert_eq!(hexadecimal("127.0.0.1"), "0100007F");
        assert_eq!(hexadecimal("2001:db8::1"), "B80D0120000000000000000001000000");
    }
}
