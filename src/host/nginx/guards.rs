//! What nginx may answer by itself in front of a location: what a request must be spared, or must bring along.

use super::tree::Node;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What stands between a request and the service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Guards {
    /// Not everything is let through: a login, allowed addresses, a condition, files of nginx's own.
    pub closed: bool,
    /// One request at a time, this far apart.
    pub one_every: Option<Duration>,
    /// Requests share one limit with everybody else's, so none may be spent.
    pub shared_limit: bool,
    /// An answer may come from a cache.
    pub cached: bool,
    /// It wants to hear that the client came by this scheme.
    pub scheme: Option<String>,
}

/// Reads them from the levels around a `proxy_pass`, outermost first.
pub(super) fn guards(above: &[&[Node<'_>]]) -> Guards {
    let off = |directive: &&Node<'_>| directive.args().first() != Some(&"off");
    let auth = in_effect(above, "auth_basic").iter().any(off) || in_effect(above, "auth_request").iter().any(off);
    let denied = !in_effect(above, "deny").is_empty();
    let conditions: Vec<&Node<'_>> = above[above.len().saturating_sub(3)..]
        .iter()
        .flat_map(|level| level.iter())
        .filter(|node| node.name() == "if" && node.children.iter().any(|child| child.name() == "return"))
        .collect();
    let scheme = conditions.iter().find_map(|condition| wanted_scheme(condition));
    let others = conditions.iter().any(|condition| wanted_scheme(condition).is_none() && !is_of_host(condition));
    // pages of nginx's own, in the location itself or in one that leads on to it
    let own = above
        .iter()
        .rev()
        .take(2)
        .flat_map(|level| level.iter())
        .any(|node| matches!(node.name(), "try_files" | "return" | "stub_status") && !node.is_block());
    let (one_every, shared_limit) = limits(above);
    Guards {
        closed: auth || denied || others || own,
        one_every,
        shared_limit,
        cached: in_effect(above, "proxy_cache").iter().any(off),
        scheme,
    }
}

/// A directive as nginx inherits it: that of the nearest level which has it.
fn in_effect<'n, 'a>(above: &[&'n [Node<'a>]], name: &str) -> Vec<&'n Node<'a>> {
    let of = |level: &&'n [Node<'a>]| level.iter().filter(|node| node.name() == name).collect::<Vec<_>>();
    above.iter().rev().map(of).find(|found| !found.is_empty()).unwrap_or_default()
}

/// `if ($http_x_forwarded_proto != "https") { return … }` wants https.
fn wanted_scheme(condition: &Node<'_>) -> Option<String> {
    let text = condition.args().join(" ");
    let text = text.trim_start_matches('(').trim_end_matches(')').trim();
    let rest = text.strip_prefix("$http_x_forwarded_proto")?.trim();
    match rest.split_once(' ').map(|(sign, value)| (sign, value.trim().trim_matches(['"', '\'']))) {
        Some(("!=", wanted)) => Some(wanted.to_owned()),
        Some(("=", "http")) => Some("https".to_owned()),
        Some(("=", "https")) => Some("http".to_owned()),
        Some(("!~" | "!~*", _)) => Some("https".to_owned()),
        _ => None,
    }
}

fn is_of_host(condition: &Node<'_>) -> bool {
    condition.args().first().is_some_and(|word| {
        let word = word.trim_start_matches('(');
        ["$host", "$http_host", "$scheme", "$request_method"].iter().any(|known| word.starts_with(known))
    })
}

/// How far apart requests must be, and whether they use up what others need. Where there are several limits, the slowest.
fn limits(above: &[&[Node<'_>]]) -> (Option<Duration>, bool) {
    let zones = |kind: &str| {
        let kind = kind.to_owned();
        above.iter().flat_map(|level| level.iter()).filter(move |node| node.name() == kind)
    };
    let (mut apart, mut shared) = (None, false);
    let mut limit = |key: &str, every: Duration| {
        shared |= !matches!(key, "$binary_remote_addr" | "$remote_addr");
        apart = Some(apart.map_or(every, |known: Duration| known.max(every)));
    };
    for asked in in_effect(above, "limit_req") {
        let name = asked.args().iter().find_map(|arg| arg.strip_prefix("zone=").map(str::to_owned)).unwrap_or_default();
        let zone = zones("limit_req_zone").find(|zone| zone_name(zone) == name);
        let args = zone.map(|zone| zone.args()).unwrap_or_default();
        let rate =
            args.iter().find_map(|arg| arg.strip_prefix("rate=").and_then(rate)).unwrap_or(Duration::from_secs(1));
        limit(args.first().copied().unwrap_or_default(), rate);
    }
    for asked in in_effect(above, "limit_conn") {
        let name = asked.args().first().copied().unwrap_or_default().to_owned();
        let zone = zones("limit_conn_zone").find(|zone| zone_name(zone) == name);
        limit(zone.and_then(|zone| zone.args().first().copied()).unwrap_or_default(), Duration::ZERO);
    }
    (apart, shared)
}

fn zone_name(zone: &Node<'_>) -> String {
    let zone = zone.args().iter().find_map(|arg| arg.strip_prefix("zone=").map(str::to_owned)).unwrap_or_default();
    zone.split(':').next().unwrap_or_default().to_owned()
}

/// `10r/s`, `30r/m`: the time from one request to the next.
fn rate(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_once("r/")?;
    let whole = match unit {
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(whole / number.parse::<f64>().ok().filter(|number| *number > 0.0)?).ok()
}
