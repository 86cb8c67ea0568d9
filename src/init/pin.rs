//! The commit that the workflow names the action by: who pins the commit pins the binary, and linters ask for it.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long the action's repository has to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// The action at a commit, as `uses:` takes it: that of this version's tag, else of the tag v1. `None` where its repository
/// does not answer, or has neither.
pub fn pinned() -> Option<String> {
    let tags = [concat!("v", env!("CARGO_PKG_VERSION")), "v1"];
    let (commit, tag) = newest(&ask(env!("CARGO_PKG_REPOSITORY"))?, &tags)?;
    Some(format!("{}@{commit} # {tag}", env!("CARGO_PKG_REPOSITORY")))
}

/// What git says of the tags; it asks nobody for a password.
fn ask(repository: &str) -> Option<String> {
    let mut git = Command::new("git");
    git.args(["ls-remote", "--tags", repository]).env("GIT_TERMINAL_PROMPT", "0");
    let mut child = git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut output = child.stdout.take()?;
    let (sender, answer) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = output.read_to_string(&mut text).map(|_| sender.send(text));
    });
    let text = answer.recv_timeout(LIMIT);
    let _ = child.kill();
    let _ = child.wait();
    text.ok()
}

/// The first tag that is there, and its commit: for a tag with a message of its own, git names the commit with `^{}`.
fn newest<'a>(refs: &str, tags: &[&'a str]) -> Option<(String, &'a str)> {
    let commit = |name: String| {
        let mut lines = refs.lines().filter_map(|line| line.split_once('\t'));
        let (commit, _) = lines.find(|(_, known)| *known == name)?;
        let whole = commit.len() >= 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
        whole.then(|| commit.to_owned())
    };
    let of = |tag: &str| commit(format!("refs/tags/{tag}^{{}}")).or_else(|| commit(format!("refs/tags/{tag}")));
    tags.iter().find_map(|&tag| Some((of(tag)?, tag)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_commit_is_that_of_the_first_tag_that_is_there_and_never_a_tags_own() {
        let [one, two, three] = ["1", "2", "3"].map(|digit| digit.repeat(40));
        let refs = format!("{one}\trefs/tags/v1\n{two}\trefs/tags/v1.2.0\n{three}\trefs/tags/v1.2.0^{{}}\n");
        assert_eq!(newest(&refs, &["v1.2.0", "v1"]).unwrap(), (three, "v1.2.0"));
        assert_eq!(newest(&refs, &["v1.3.0", "v1"]).unwrap(), (one, "v1"));
        assert_eq!(newest(&refs, &["v2"]), None);
        assert_eq!(newest("x\trefs/tags/v2\n", &["v2"]), None);
    }
}
