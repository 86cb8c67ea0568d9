//! What an unfinished swap left on the host: its plan, then a line before and after each step.

use super::plan::Plan;
use super::steps::Step;
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
}

#[derive(Deserialize)]
struct Line {
    step: Step,
    state: String,
}

impl Journal {
    /// Reads the journal's text; empty text is no journal. A torn last line is passed over.
    pub fn read(text: &str) -> Option<Journal> {
        let mut lines = text.lines();
        let first = lines.next().filter(|line| !line.trim().is_empty())?;
        let lines: Vec<Line> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        let begun = lines.iter().filter(|line| line.state == "begin").map(|line| line.step).collect();
        let back = lines.iter().any(|line| line.state == "back");
        Some(Journal { plan: serde_json::from_str(first).ok(), begun, back })
    }

    /// The new version was confirmed, so the swap is to be finished and not undone.
    pub fn is_confirmed(&self) -> bool {
        !self.back && self.begun.iter().any(|step| matches!(step, Step::Drain | Step::Retire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begun_are_read_and_torn_lines_passed_over() {
        assert_eq!(Journal::read(""), None);
        let text = "{}\n{\"step\":\"start\",\"state\":\"begin\"}\n{\"step\":\"start\",\"state\":\"end\"}\n{\"step\":\"route\",\"state\":\"begin\"}\n{\"st";
        let journal = Journal::read(text).expect("a journal");
        assert_eq!((journal.plan.is_none(), journal.begun.as_slice()), (true, [Step::Start, Step::Route].as_slice()));
        assert!(!journal.is_confirmed());
    }

    #[test]
    fn what_was_being_put_back_is_not_confirmed() {
        let line = |step: &str, state: &str| format!("{{\"step\":\"{step}\",\"state\":\"{state}\"}}\n");
        let drained = "{}\n".to_owned() + &line("route", "begin") + &line("drain", "begin");
        assert!(Journal::read(&drained).expect("a journal").is_confirmed());
        assert!(!Journal::read(&(drained + &line("route", "back"))).expect("a journal").is_confirmed());
    }
}
