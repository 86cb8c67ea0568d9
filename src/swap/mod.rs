//! The swap: plan, execute step by step, and put everything back when a step fails.
//!
//! Read [`story`] first: it is the swap on one page. [`step`] has a room for each of its steps, [`plan`] says what they need,
//! [`execute`] takes them on every host, phase by phase, [`undo`] puts them back.

pub mod back;
pub mod deliver;
pub mod env_file;
pub mod execute;
mod health;
pub mod history;
pub mod journal;
pub mod meaning;
pub mod plan;
pub mod planning;
pub mod prune;
pub mod recover;
pub mod run;
pub mod step;
pub mod story;
pub mod torn;
pub mod undo;
pub mod watch;
