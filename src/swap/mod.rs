//! The swap: observe a host, plan, execute step by step, and put everything back when a step fails.
//!
//! Read [`story`] first: it is the swap on one page. [`plan`] says what each step needs, [`execute`] runs them on every
//! host, phase by phase, [`undo`] puts them back.

pub mod back;
mod bake;
pub mod confirm;
pub mod deliver;
pub mod discover;
pub mod env_file;
pub mod evidence;
pub mod execute;
mod explain;
pub mod findings;
mod found;
mod health;
pub mod history;
mod hooks;
pub mod journal;
mod links;
pub mod look;
pub mod making;
mod neighbours;
pub mod observe;
mod perform;
pub mod plan;
pub mod probe;
pub mod prune;
pub mod recover;
pub mod refusals;
mod refusals_compose;
mod refusals_project;
mod refusals_route;
mod start;
pub mod story;
pub mod survey;
mod together;
pub mod torn;
pub mod undo;
pub mod watch;
