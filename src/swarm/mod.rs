//! `engine: swarm`: the slots are two services of a stack on a Docker Swarm, with nginx on every node. One of them has all
//! tasks, the other none, and nginx of each node names one of them in a variable.
//!
//! [`see`] reads the swarm and every nginx, [`judge`] says what stands in the way, [`plan`] what is to be done; [`run`] does
//! it, [`back`] puts it back, [`recover`] does that for a run that died. The lock, the journal and the history are one object of
//! the swarm ([`store`]), so that every manager has them.

pub(crate) mod api;
pub(crate) mod back;
mod bake;
pub(crate) mod edge;
pub(crate) mod evidence;
mod health;
mod hooks;
pub(crate) mod judge;
pub(crate) mod objects;
pub(crate) mod plan;
mod record;
pub(crate) mod recover;
pub(crate) mod run;
pub(crate) mod see;
pub(crate) mod slots;
pub(crate) mod stack_file;
pub(crate) mod store;
