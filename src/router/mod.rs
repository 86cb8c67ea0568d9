//! What sends requests to the slots: nginx, in the compose project, in another container, or on the host itself.

pub mod words;

use serde::{Deserialize, Serialize};

/// nginx's workers, its reload and its files, for scripts.
pub(crate) const NGINX: &str = include_str!("nginx.sh");
/// What slots receive, for scripts.
pub(crate) const TRAFFIC: &str = include_str!("traffic.sh");

/// Where nginx runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Router {
    /// As a service of the compose project: started where it does not run, and never made anew.
    #[default]
    Compose,
    /// In a container of somebody else's: neither started nor made anew.
    Container,
    /// On the host itself.
    Host,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_connection_that_ended_a_minute_ago_or_more_is_not_taken_for_one_of_now() {
        // connections that wait so many centiseconds for their end, in hexadecimal
        let counted = |left: &[&str], within: u32| {
            let line =
                |left| format!("0: 020012AC:0BB9 040012AC:C350 06 00000000:00000000 03:{left} 00000000 0 0 0 3 x\n");
            let lines: String = left.iter().map(line).collect();
            let show = r#"cat() { [ "$1" != /proc/1/net/tcp ] || printf %s "$lines"; }"#;
            let asked = format!("{show}\n{TRAFFIC}\nfrom_nginx 1:0BB9:020012AC:blue 2:040012AC {within}");
            let out = std::process::Command::new("sh").arg("-c").arg(asked).env("lines", lines).output().unwrap();
            String::from_utf8(out.stdout).unwrap().trim().to_owned()
        };
        let new_and_old = ["00001766", "00000064"];
        assert_eq!(counted(&new_and_old, 25), "0 2 1");
        assert_eq!(counted(&new_and_old, 5950), "0 2 2");
        assert_eq!(counted(&["00000000"], 6026), "0 1 0");
    }
}
