//! What the verbs say of a stack.

use super::HostStatus;
use super::PlannedStep;
use crate::release::Version;
use serde::Serialize;

/// What a release to a stack would do.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StackPlan {
    /// What would be released.
    pub version: Version,
    /// Where it was found.
    pub source: String,
    /// The stack.
    pub stack: String,
    /// What would be done, in order.
    pub steps: Vec<PlannedStep>,
    /// Lines of nginx's files that would change.
    pub changes: Vec<LineChange>,
}

/// A line of a file that would change.
#[derive(Debug, Clone, Serialize)]
pub struct LineChange {
    /// The host.
    pub host: String,
    /// The file on it, and the line's number.
    pub place: String,
    /// What it says.
    pub before: String,
    /// What it would say.
    pub after: String,
}

/// What is live of a stack.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StackStatus {
    /// The stack.
    pub stack: String,
    /// What is live through nginx of each host.
    pub hosts: Vec<HostStatus>,
    /// The slots and their tasks.
    pub slots: Vec<StackSlot>,
    /// The nodes of the swarm.
    pub nodes: Vec<StackNode>,
    /// Where it is not as the last release left it.
    pub differs: Vec<String>,
}

/// A slot of a stack.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StackSlot {
    /// The slot.
    pub slot: String,
    /// Its image.
    pub image: String,
    /// How many tasks it shall have.
    pub replicas: u64,
    /// The nodes on which they run.
    pub running: Vec<String>,
}

/// A node of the swarm.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StackNode {
    /// Its name.
    pub node: String,
    /// It is there.
    pub ready: bool,
    /// It takes tasks.
    pub active: bool,
    /// It is a manager.
    pub manager: bool,
    /// It leads them.
    pub leader: bool,
}
