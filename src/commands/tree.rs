//! What is released: the commit, and whether the work tree is it.

use super::session::variable;
use super::{Exit, Run, Stop, ask};
use crate::cli;
use crate::github::event_commit;
use crate::release::{Version, tree};
use crate::report::Level;
use std::path::PathBuf;

/// So many files are named.
const SHOWN: usize = 5;

impl Run {
    /// Finds out which commit this run is of, for the history: that of the job; that of the work tree where it is what is
    /// released.
    pub(super) async fn know_commit(&self, from_tree: bool) {
        let here = || async { if from_tree { tree::commit(&self.config.root).await } else { None } };
        let commit = match event_commit().or_else(|| variable("GITHUB_SHA")) {
            Some(commit) => commit,
            None => here().await.unwrap_or_default(),
        };
        // it is asked for once a run
        let _ = self.commit.set(commit);
    }

    /// The commit that this run is of; empty where that can't be known.
    pub(super) fn commit(&self) -> String {
        self.commit.get().cloned().unwrap_or_default()
    }

    /// Before anything is built: says what is not committed, and where the tag of this version is already. Without a person
    /// to ask, what is not committed is released in a job, or with `--dirty`.
    pub(super) async fn look_at_tree(&self, version: &Version, options: &cli::ReleaseOptions) -> Result<(), Stop> {
        let root = &self.config.root;
        if let Some(at) = tree::tagged(root, version).await {
            self.tag_elsewhere(version, &at);
        }
        let builds = self.config.services.iter().filter_map(|service| service.build.as_ref());
        let paths = builds.flat_map(|build| [Some(&build.context), build.dockerfile.as_ref()]).flatten();
        let paths: Vec<PathBuf> = paths.filter_map(|path| std::path::absolute(path).ok()).collect();
        let changed = if paths.is_empty() { Vec::new() } else { tree::uncommitted(root, &paths).await };
        if changed.is_empty() {
            return Ok(());
        }
        let mut names = changed.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        if changed.len() > SHOWN {
            names += &format!(" and {} more", changed.len() - SHOWN);
        }
        let what = format!("not committed: {names}");
        if options.dirty || variable("CI").is_some() || variable("GITHUB_ACTIONS").is_some() {
            // in a job earlier steps may have written files
            let level = if options.dirty { Level::Info } else { Level::Warning };
            self.reporter.note(level, "", format!("{version} is built with what is {what}"));
            return Ok(());
        }
        if !options.yes && ask::is_person_there() {
            let question = format!("{what}\nBuild {version} with that?");
            let no = || Stop::new(Exit::Interrupted(130), "not released; nothing was changed");
            return if ask::yes(&question) { Ok(()) } else { Err(no()) };
        }
        let todo = "commit or stash it, or release it with --dirty";
        Err(Stop::new(Exit::Usage, format!("the work tree is not the commit that {version} is of, {what}; {todo}")))
    }

    /// Says that a version's tag is at another commit than this run.
    fn tag_elsewhere(&self, version: &Version, at: &str) {
        let here = self.commit();
        if !here.is_empty() && at != here {
            self.reporter.note(Level::Warning, "", crate::github::tag_remark(&version.to_string(), at, &here));
        }
    }
}
