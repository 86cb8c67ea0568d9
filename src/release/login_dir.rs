//! The directory of a login: this run's alone, gone with it, and swept by the next run where this one is killed.

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const PREFIX: &str = "cutover-docker-";
/// Held for as long as the run lives: the system lets it go, whatever ends the run.
const ALIVE: &str = "alive";
/// One without that file is of a run that was killed before it made it.
const OLD: Duration = Duration::from_secs(3600);

/// A directory, 0700; gone when it is dropped.
#[derive(Debug)]
pub(super) struct LoginDir {
    // before the lock, so that nobody sweeps it meanwhile
    dir: TempDir,
    _alive: File,
}

impl LoginDir {
    /// A new one in `parent`. Those there that runs of this user left when they were killed are removed.
    pub(super) fn new(parent: &Path) -> io::Result<LoginDir> {
        sweep(parent);
        for _ in 0..3 {
            let dir = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(parent)?;
            let path = dir.path().join(ALIVE);
            let Ok(alive) = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) else { continue };
            // another run may have swept it just now
            let held = flock(&alive, FlockOperation::NonBlockingLockExclusive).is_ok();
            if held && std::fs::metadata(&path).is_ok() {
                return Ok(LoginDir { dir, _alive: alive });
            }
        }
        Err(io::Error::other("no directory for the login could be made"))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes what dead runs left. Whatever can't be removed stays: it is nobody else's business to fail for it.
fn sweep(parent: &Path) {
    let ours = rustix::process::geteuid().as_raw();
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let named = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let about = entry.metadata().ok().filter(|about| named && about.is_dir() && about.uid() == ours);
        if let Some(about) = about
            && is_dead(&entry.path(), &about)
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn is_dead(dir: &Path, about: &std::fs::Metadata) -> bool {
    match OpenOptions::new().write(true).open(dir.join(ALIVE)) {
        Ok(alive) => flock(&alive, FlockOperation::NonBlockingLockExclusive).is_ok(),
        Err(_) => about.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > OLD),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn those_of_dead_runs_are_swept_and_those_of_living_ones_are_not() {
        let parent = tempfile::tempdir().unwrap();
        let living = LoginDir::new(parent.path()).unwrap();
        std::fs::write(living.path().join("config.json"), "{}").unwrap();
        let dead = parent.path().join("cutover-docker-dead");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(ALIVE), "").unwrap();
        std::fs::write(dead.join("config.json"), "{}").unwrap();
        let fresh = parent.path().join("cutover-docker-fresh");
        std::fs::create_dir(&fresh).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), parent.path().join("cutover-docker-link")).unwrap();
        let next = LoginDir::new(parent.path()).unwrap();
        assert!(living.path().join("config.json").exists() && fresh.exists() && elsewhere.path().exists());
        assert!(!dead.exists());
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }
}
