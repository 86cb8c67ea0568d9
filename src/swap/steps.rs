//! The steps of a swap, in order, and why each is there.

use serde::{Deserialize, Serialize};

/// A step of a swap on one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// The new version is live; the old one goes.
    Finish,
}

impl Phase {
    /// A title for reports.
    pub fn title(self) -> &'static str {
        match self {
            Phase::Bring => "Bring: the new version's image, and the release's own command",
            Phase::Prepare => "Prepare: start the new version beside the old one",
            Phase::Switch => "Switch: send requests to the new version",
            Phase::Watch => "Watch the new version",
            Phase::Finish => "Finish: drain and stop the old version",
        }
    }
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
            Step::Bake => "bake",
            Step::AfterSwitch => "after-switch",
            Step::Drain => "drain",
            Step::Retire => "retire",
            Step::Record => "record",
        }
    }

    /// Where it belongs.
    pub fn phase(self) -> Phase {
        match self {
            Step::Pull | Step::EnvFile | Step::Hook => Phase::Bring,
            Step::Start | Step::Guard | Step::Health => Phase::Prepare,
            Step::BeforeSwitch | Step::Route | Step::NginxUp | Step::Confirm => Phase::Switch,
            Step::Bake => Phase::Watch,
            Step::AfterSwitch | Step::Drain | Step::Retire | Step::Record => Phase::Finish,
        }
    }
}
