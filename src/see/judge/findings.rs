//! What stands in the way of a release, or will one day: what was found, and what to do about it.

use serde::Serialize;

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether a release can go on.
    pub weight: Weight,
    /// What it is about: "compose", "conf", "slot green", …
    pub about: String,
    /// What was found.
    pub what: String,
    /// What to do.
    pub todo: String,
}

/// Whether a release can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Good to know.
    Advice,
    /// A release would be refused.
    Refusal,
}

/// Findings in the making.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// A release can't go on.
    pub fn refuse(&mut self, about: impl Into<String>, what: impl Into<String>, todo: impl Into<String>) {
        self.add(Weight::Refusal, about.into(), what.into(), todo.into());
    }

    /// Good to know.
    pub fn advise(&mut self, about: impl Into<String>, what: impl Into<String>, todo: impl Into<String>) {
        self.add(Weight::Advice, about.into(), what.into(), todo.into());
    }

    fn add(&mut self, weight: Weight, about: String, what: String, todo: String) {
        self.0.push(Finding { weight, about, what, todo });
    }
}
