//! What an unfinished swap left on the host: its plan, then a line before and after each step.

use super::plan::Plan;
use super::story::Step;
use serde::Deserialize;

/// The journal of an unfinished swap.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// What was to be done, with everything that undoing needs. `None`: it can't be read.
    pub plan: Option<Plan>,
    /// Steps that were begun, in order.
    pub begun: Vec<Step>,
    /// Putting back had begun.
    pub back: bool,
    /// Every host was confirmed.
    pub confirmed: bool,
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
        let plan = lines.next().and_then(|first| serde_json::from_str(first).ok());
        let lines: Vec<Line> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        let begun = lines.iter().filter(|line| line.state == "begin").map(|line| line.step).collect();
        let back = lines.iter().any(|line| line.state == "back");
        let confirmed = lines.iter().any(|line| (line.step, line.state.as_str()) == (Step::Confirm, "end"));
        Journal { plan, begun, back, confirmed }
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
    fn a_first_line_that_is_no_plan_is_a_damaged_journal_and_no_missing_one() {
        for text in ["", "\n\n", "\0\0\0", "{\"id\":\"4711\",\"vers", "\n{\"step\":\"drain\",\"state\":\"begin\"}\n"] {
            assert_eq!(Journal::read(text).plan, None, "{text:?}");
        }
    }
}
