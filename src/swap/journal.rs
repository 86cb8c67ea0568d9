//! What an unfinished swap left on the host: its plan, then a line before and after each step.

use super::plan::{FORMAT, Plan};
use super::story::Step;
use serde::Deserialize;

/// The journal of an unfinished swap.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// What was to be done, with everything that undoing needs. `None`: it can't be read.
    pub plan: Option<Plan>,
    /// Its format, where only a newer cutover reads that.
    pub newer: Option<u32>,
    /// Steps that were begun, in order.
    pub begun: Vec<Step>,
    /// Putting back had begun.
    pub back: bool,
    /// Every host was confirmed.
    pub confirmed: bool,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    format: u32,
}

#[derive(Deserialize)]
struct Line {
    step: Step,
    state: String,
}

impl Journal {
    /// Reads the journal's text: there is one where its file is not empty. Its first line is the plan, or it is damaged. A
    /// line after that which can't be read, torn by a crash, is passed over.
    pub fn read(text: &str) -> Journal {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let format = serde_json::from_str::<Head>(first).map_or(0, |head| head.format);
        let newer = (format > FORMAT).then_some(format);
        let plan = if newer.is_some() { None } else { serde_json::from_str(first).ok() };
        let lines: Vec<Line> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        let begun = lines.iter().filter(|line| line.state == "begin").map(|line| line.step).collect();
        let back = lines.iter().any(|line| line.state == "back");
        let confirmed = lines.iter().any(|line| (line.step, line.state.as_str()) == (Step::Confirm, "end"));
        Journal { plan, newer, begun, back, confirmed }
    }

    /// The new version was confirmed on every host, so the swap is to be finished and not undone. Journals of before the
    /// line that says so show it by the steps that came next.
    pub fn is_confirmed(&self) -> bool {
        let after = || self.begun.iter().any(|step| matches!(step, Step::AfterSwitch | Step::Drain | Step::Retire));
        !self.back && (self.confirmed || after())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begun_are_read_and_torn_lines_passed_over() {
        let text = "{}\n{\"step\":\"start\",\"state\":\"begin\"}\n{\"step\":\"start\",\"state\":\"end\"}\n{\"step\":\"route\",\"state\":\"begin\"}\n{\"st";
        let journal = Journal::read(text);
        assert_eq!((journal.plan.is_none(), journal.begun.as_slice()), (true, [Step::Start, Step::Route].as_slice()));
        assert!(!journal.is_confirmed());
    }

    #[test]
    fn what_was_being_put_back_is_not_confirmed() {
        let line = |step: &str, state: &str| format!("{{\"step\":\"{step}\",\"state\":\"{state}\"}}\n");
        let drained = "{}\n".to_owned() + &line("route", "begin") + &line("drain", "begin");
        assert!(Journal::read(&drained).is_confirmed());
        assert!(!Journal::read(&(drained + &line("route", "back"))).is_confirmed());
    }

    #[test]
    fn what_every_host_was_confirmed_for_stays_from_that_line_on() {
        let routed =
            "{}\n{\"step\":\"route\",\"state\":\"begin\"}\n{\"step\":\"route\",\"state\":\"end\"}\n".to_owned();
        assert!(!Journal::read(&routed).is_confirmed());
        let confirmed = routed + "{\"step\":\"confirm\",\"state\":\"end\"}\n";
        assert!(Journal::read(&confirmed).is_confirmed());
        assert!(!Journal::read(&(confirmed + "{\"step\":\"route\",\"state\":\"back\"}\n")).is_confirmed());
    }

    #[test]
    fn a_format_of_later_is_no_damage() {
        let journal =
            Journal::read("{\"id\":\"4711\",\"format\":99,\"other\":[]}\n{\"step\":\"route\",\"state\":\"begin\"}\n");
        assert_eq!((journal.plan, journal.newer), (None, Some(99)));
    }

    #[test]
    fn a_first_line_that_is_no_plan_is_a_damaged_journal_and_no_missing_one() {
        for text in ["", "\n\n", "\0\0\0", "{\"id\":\"4711\",\"vers", "\n{\"step\":\"drain\",\"state\":\"begin\"}\n"] {
            assert_eq!(Journal::read(text).plan, None, "{text:?}");
        }
    }
}
