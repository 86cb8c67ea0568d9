//! The steps of a run as a Mermaid gantt chart, which GitHub draws (mermaid.js.org/syntax/gantt.html).

use super::StepState;
use std::fmt::Write as _;

/// A step that has ended. Times are seconds from the run's start.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    /// The host; empty for the runner.
    pub(super) host: String,
    pub(super) step: String,
    pub(super) state: StepState,
    pub(super) begin: f64,
    pub(super) end: f64,
}

/// The diagram, without its fence; a section a host, in the order of appearance.
pub(super) fn gantt(bars: &[Bar]) -> String {
    let length = bars.iter().fold(0.0, |length: f64, bar| length.max(bar.end));
    // `x` and `%s`: numbers, so that no time zone shifts the axis
    let mut text = format!("gantt\n  dateFormat x\n  axisFormat %s s\n  tickInterval {}second\n", tick(length));
    let mut hosts: Vec<&str> = Vec::new();
    for bar in bars {
        if !hosts.contains(&bar.host.as_str()) {
            hosts.push(&bar.host);
        }
    }
    for host in hosts {
        let name = if host.is_empty() { "runner".to_owned() } else { word(host) };
        let _ = writeln!(text, "  section {name}");
        for bar in bars.iter().filter(|bar| bar.host == host) {
            let _ = writeln!(text, "  {}", task(bar));
        }
    }
    text
}

fn task(bar: &Bar) -> String {
    let (mark, end) = match bar.state {
        StepState::Done => ("", ""),
        StepState::Failed => ("crit, ", " failed"),
        StepState::Undone => ("active, ", " put back"),
    };
    let (from, to) = ((bar.begin * 1000.0) as u64, (bar.end * 1000.0) as u64);
    let seconds = bar.end - bar.begin;
    format!("{}{end} {seconds:.1} s :{mark}{from}, {}", word(&bar.step), to.max(from + 1))
}

/// A distance of the axis' marks that leaves at most about 12 of them.
fn tick(length: f64) -> u64 {
    [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].into_iter().find(|tick| length / (*tick as f64) <= 12.0).unwrap_or(1800)
}

/// Mermaid has no quoting: what could be its syntax (`:`, `#`, `;`, `%%`, ends of lines) becomes a dash.
fn word(text: &str) -> String {
    let good = |c: char| if c.is_alphanumeric() || matches!(c, ' ' | '.' | '_' | '@') { c } else { '-' };
    let clean: String = text.chars().take(60).map(good).collect();
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(host: &str, step: &str, state: StepState, begin: f64, end: f64) -> Bar {
        Bar { host: host.to_owned(), step: step.to_owned(), state, begin, end }
    }

    #[test]
    fn every_step_is_a_task_of_its_host() {
        let bars = [
            bar("", "build", StepState::Done, 0.0, 12.5),
            bar("deploy@203.0.113.10:22", "pull", StepState::Done, 12.5, 13.25),
            bar("deploy@203.0.113.10:22", "health", StepState::Failed, 13.25, 73.25),
            bar("deploy@203.0.113.10:22", "start", StepState::Undone, 73.25, 73.25),
        ];
        let expected = "\
gantt
  dateFormat x
  axisFormat %s s
  tickInterval 10second
  section runner
  build 12.5 s :0, 12500
  section deploy@203.0.113.10-22
  pull 0.8 s :12500, 13250
  health failed 60.0 s :crit, 13250, 73250
  start put back 0.0 s :active, 73250, 73251
";
        assert_eq!(gantt(&bars), expected);
    }

    #[test]
    fn no_name_is_syntax() {
        assert_eq!(word("a:b;c#d%%e\n  section x"), "a-b-c-d--e-  section x");
    }
}
