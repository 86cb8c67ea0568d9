//! The swap: observe a host, plan, execute step by step, and put everything back when a step fails.
//!
//! Read [`story`] first: it is the swap on one page. [`step`] has a room for each of its steps, [`plan`] says what they need,
//! [`execute`] takes them on every host, phase by phase, [`undo`] puts them back.

pub mod back;
pub mod deliver;
pub mod discover;
pub mod env_file;
pub mod evidence;
pub mod execute;
pub mod findings;
mod found;
mod health;
pub mod history;
pub mod journal;
mod links;
pub mod look;
pub mod making;
pub mod meaning;
mod neighbours;
pub mod observe;
pub mod plan;
pub mod probe;
pub mod prune;
pub mod recover;
pub mod refusals;
mod refusals_compose;
mod refusals_project;
mod refusals_route;
pub mod run;
mod shell;
pub mod step;
pub mod story;
pub mod survey;
mod together;
pub mod torn;
pub mod undo;
pub mod watch;
