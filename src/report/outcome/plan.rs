//! What a release would do.

use crate::swap::plan::Plan;
use serde::Serialize;

/// What a release would do on a host.
#[derive(Debug, Clone, Serialize)]
pub struct HostPlan {
    /// The host.
    pub host: String,
    /// What would be done, in order.
    pub steps: Vec<PlannedStep>,
    /// All of it.
    pub plan: Plan,
    /// What would prove that the version serves.
    #[serde(skip)]
    pub evidence: String,
}

/// A step that would be done.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedStep {
    /// Its name.
    pub step: &'static str,
    /// What it does.
    pub text: String,
}
