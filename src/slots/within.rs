//! Where a slot is: its compose service, and the project and files that it is of.

use crate::host::compose::Scope;
use serde::{Deserialize, Serialize};

/// A compose service in a project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// The project, and its files.
    pub scope: Scope,
    /// The service.
    pub service: String,
}

impl Within {
    /// As the scripts' `within` takes the project: name, files and profiles.
    pub(crate) fn words(scope: &Scope) -> String {
        format!("{}|{}|{}", scope.project, scope.files, scope.profiles)
    }
}
