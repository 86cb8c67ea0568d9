//! The test bench: real instances, a reference-shaped project and clients that record every request.
//!
//! `scripts/lab` does the work on the machine; this crate gives tests, the demo and the bench a typed way to it. Nothing
//! here prints.

mod app;
pub mod cutover;
mod instance;
pub mod load;
mod project;
mod rollout;
mod script;

pub use app::{App, GitRepository, Image, build_app};
pub use instance::{Container, Instance, Kind, Machine, Output, Start};
pub use load::{Load, Mix, Report};
pub use project::{Options, Project, Script, Services};
pub use rollout::{ROLLOUT, Rollout};
pub use script::{Lab, Registry};

/// Tests on an instance of each kind: a function of the kind becomes the tests `NAME::v2` and `NAME::v1`.
#[macro_export]
macro_rules! on_each_kind {
    ($name:ident) => {
        mod $name {
            #[test]
            fn v2() {
                super::$name($crate::Kind::V2);
            }

            #[test]
            fn v1() {
                super::$name($crate::Kind::V1);
            }
        }
    };
}
