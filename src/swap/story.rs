//! The swap on one page: its steps in their order, when each is wanted, where it belongs, and what undoes it.

use super::plan::Plan;
use serde::{Deserialize, Serialize};

/// The story of a swap on one host. Undoing goes through it from its end, also through the step that failed.
#[rustfmt::skip]
const STORY: [Line; 16] = [
    line(Step::Pull,         Phase::Bring,   |_| true),
    line(Step::EnvFile,      Phase::Bring,   |plan| plan.env_file.is_some()).back("put the env file back"),
    line(Step::Hook,         Phase::Bring,   |plan| plan.hook.is_some()).back("give the images their names back").unless_begun(Step::Start),
    line(Step::Start,        Phase::Prepare, |_| true).back("remove the new slot").only_after(Step::Route),
    line(Step::Guard,        Phase::Prepare, Plan::is_guarded).back("remove the keep-alive guard"),
    line(Step::Health,       Phase::Prepare, |_| true),
    line(Step::BeforeSwitch, Phase::Switch,  |p| p.before_switch.is_some()),
    line(Step::Route,        Phase::Switch,  Plan::is_rerouted).back("point nginx at the old slot again"),
    line(Step::NginxUp,      Phase::Switch,  |plan| !plan.is_routing()).back("stop nginx again"),
    line(Step::Confirm,      Phase::Switch,  |_| true),
    line(Step::Workers,      Phase::Watch,   Plan::has_workers).back("put the workers back on the old version"),
    line(Step::Bake,         Phase::Watch,   |plan| plan.bake.is_some()),
    line(Step::AfterSwitch,  Phase::Drain,   |plan| plan.after_switch.is_some()),
    line(Step::Drain,        Phase::Drain,   Plan::is_routing),
    line(Step::Retire,       Phase::Finish,  Plan::is_retiring),
    line(Step::Record,       Phase::Finish,  |_| true),
];

/// A step of a swap on one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Bring the image to the host, by digest.
    Pull,
    /// Put the release's env file on the host.
    EnvFile,
    /// Run the release's own command, such as a migration, in the new image.
    Hook,
    /// Start the idle slot on it, beside the live one.
    Start,
    /// Let idle keep-alive connections outlive nginx's reload.
    Guard,
    /// Wait until the new slot answers as it should.
    Health,
    /// Run the host's own command before the switch.
    BeforeSwitch,
    /// Point nginx at the new slot, in one command that a cut connection can't split.
    Route,
    /// Start nginx, where it was not running.
    NginxUp,
    /// Prove that requests reach the new slot.
    Confirm,
    /// Move what runs the image and gets no requests.
    Workers,
    /// Watch it for a while.
    Bake,
    /// Run the host's own command after the switch.
    AfterSwitch,
    /// Wait until nginx's old workers have finished their requests.
    Drain,
    /// Stop the old slot and keep it down; it stays for a rollback.
    Retire,
    /// Write the outcome into the history.
    Record,
}

/// The parts of a swap between which the hosts of a release wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The image is on the hosts, and the release's own command has ended: nothing of the new version serves before. Hosts
    /// wait for each other here only where there is such a command.
    Bring,
    /// The new version runs beside the old one and is healthy; nobody sees it.
    Prepare,
    /// Requests go to the new version.
    Switch,
    /// The new version serves, and the old one still can.
    Watch,
    /// The new version is live; requests that the old one has are finished.
    Drain,
    /// The old one goes.
    Finish,
}

/// What undoing a step means.
#[derive(Debug, Clone, Copy)]
pub struct Back {
    /// In words.
    pub says: &'static str,
    /// What undoes that step does this as well.
    unless_begun: Option<Step>,
    /// Nothing may be undone here while that step could not be.
    only_after: Option<Step>,
}

#[derive(Clone, Copy)]
struct Line {
    step: Step,
    phase: Phase,
    wanted: fn(&Plan) -> bool,
    back: Option<Back>,
}

const fn line(step: Step, phase: Phase, wanted: fn(&Plan) -> bool) -> Line {
    Line { step, phase, wanted, back: None }
}

impl Line {
    /// There is something to undo.
    const fn back(self, says: &'static str) -> Line {
        Line { back: Some(Back { says, unless_begun: None, only_after: None }), ..self }
    }

    const fn unless_begun(mut self, step: Step) -> Line {
        if let Some(back) = &mut self.back {
            back.unless_begun = Some(step);
        }
        self
    }

    const fn only_after(mut self, step: Step) -> Line {
        if let Some(back) = &mut self.back {
            back.only_after = Some(step);
        }
        self
    }
}

impl Back {
    /// Whether it must be left, since one of these steps could not be undone.
    pub fn waits_for(&self, stuck: &[Step]) -> bool {
        self.only_after.is_some_and(|step| stuck.contains(&step))
    }
}

/// The steps that a plan has, in order.
pub fn steps(plan: &Plan) -> Vec<Step> {
    STORY.iter().filter(|line| (line.wanted)(plan)).map(|line| line.step).collect()
}

/// What there is to undo once these steps were begun, in the order in which it is undone.
pub fn undone(begun: &[Step]) -> Vec<(Step, Back)> {
    let lines = STORY.iter().rev().filter(|line| begun.contains(&line.step));
    let open = |back: &Back| back.unless_begun.is_none_or(|other| !begun.contains(&other));
    lines.filter_map(|line| Some((line.step, line.back.filter(open)?))).collect()
}

impl Phase {
    /// A title for reports.
    pub fn title(self) -> &'static str {
        match self {
            Phase::Bring => "Bring: the new version's image, and the release's own command",
            Phase::Prepare => "Prepare: start the new version beside the old one",
            Phase::Switch => "Switch: send requests to the new version",
            Phase::Watch => "Watch the new version",
            Phase::Drain | Phase::Finish => "Finish: drain and stop the old version",
        }
    }

    /// The title of the end where no old version is stopped.
    pub const NOTHING_TO_STOP: &str = "Finish: record the release";
}

impl Step {
    /// The word for it in reports, journals and timings.
    pub fn name(self) -> &'static str {
        match self {
            Step::Pull => "pull",
            Step::EnvFile => "env-file",
            Step::Hook => "hook",
            Step::Start => "start",
            Step::Guard => "guard",
            Step::Health => "health",
            Step::BeforeSwitch => "before-switch",
            Step::Route => "route",
            Step::NginxUp => "nginx-up",
            Step::Confirm => "confirm",
            Step::Workers => "workers",
            Step::Bake => "bake",
            Step::AfterSwitch => "after-switch",
            Step::Drain => "drain",
            Step::Retire => "retire",
            Step::Record => "record",
        }
    }

    /// Where it belongs.
    pub fn phase(self) -> Phase {
        STORY.iter().find(|line| line.step == self).map_or(Phase::Finish, |line| line.phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(begun: &[Step]) -> Vec<Step> {
        undone(begun).into_iter().map(|(step, _)| step).collect()
    }

    #[test]
    fn every_step_has_one_line_and_phases_follow_each_other() {
        let names: std::collections::BTreeSet<_> = STORY.iter().map(|line| line.step.name()).collect();
        assert_eq!(names.len(), STORY.len());
        assert!(STORY.is_sorted_by_key(|line| line.phase));
    }

    #[test]
    fn undoing_goes_by_the_story_and_not_by_what_was_begun_first() {
        // a guard that came with nginx's start
        let begun = [Step::Pull, Step::Hook, Step::Start, Step::Health, Step::Route, Step::NginxUp, Step::Guard];
        assert_eq!(told(&begun), [Step::NginxUp, Step::Route, Step::Guard, Step::Start]);
        assert_eq!(told(&[Step::Pull, Step::EnvFile, Step::Hook]), [Step::Hook, Step::EnvFile]);
    }

    #[test]
    fn a_slot_that_may_still_be_asked_is_left() {
        let (_, back) = undone(&[Step::Start]).remove(0);
        assert!(back.waits_for(&[Step::Route]) && !back.waits_for(&[Step::Guard]));
    }
}
