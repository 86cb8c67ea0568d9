//! What git says of the work tree that a release is built from.
use super::version::Version;
use crate::report::text::one_line;
use std::path::{Path, PathBuf};

/// Runs git in a directory; gives what it printed. The error says which command failed, and how.
pub(super) async fn git(directory: &Path, words: &[&str]) -> Result<String, String> {
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let mut git = crate::child::command("git", &[]);
    git.args(words).current_dir(here).env("GIT_OPTIONAL_LOCKS", "0");
    // the beginning of a message, or of a list of files, is enough
    crate::child::beginning(git).await.map_err(|error| format!("git {}: {error}", words.first().unwrap_or(&"")))
}

/// The commit that is checked out; `None` outside a work tree.
pub async fn commit(directory: &Path) -> Option<String> {
    let said = git(directory, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await.ok()?;
    Some(said.trim().to_owned()).filter(|commit| !commit.is_empty())
}

/// The commit that the tag of a version names here; `None` where there is no such tag.
pub async fn tagged(directory: &Path, version: &Version) -> Option<String> {
    let name = format!("refs/tags/{version}^{{commit}}");
    let said = git(directory, &["rev-parse", "--verify", "--quiet", &name]).await.ok()?;
    Some(said.trim().to_owned()).filter(|commit| !commit.is_empty())
}

/// Files in these directories whose content is not that of the commit: changed, deleted, or new and not ignored. None
/// outside a work tree.
pub async fn uncommitted(directory: &Path, within: &[PathBuf]) -> Vec<String> {
    let paths: Vec<String> = within.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let mut words = vec!["status", "--porcelain", "--untracked-files=all", "--no-renames", "-z", "--"];
    words.extend(paths.iter().map(String::as_str));
    let said = git(directory, &words).await.unwrap_or_default();
    said.split('\0').filter_map(|entry| entry.get(3..)).map(|path| one_line(path, 120)).collect()
}
