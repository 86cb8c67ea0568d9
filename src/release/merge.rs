//! Merges: the branch that was merged may be called after the release.
use super::scan::Attempt;
use super::verdict::{LinePlace, Reason, Verdict};
use super::words;

/// The branch of a dependency bot.
pub(super) fn never(subject: &str) -> Option<Reason> {
    words::BOT_BRANCH.is_match(subject).then_some(Reason::Dependency)
}

/// The verdict on a version in a merge's subject.
pub(super) fn judge(subject: &str, attempt: &Attempt<'_>) -> Verdict {
    let left = Verdict::Passed(Reason::Name);
    let Some(found) = words::BRANCH.captures(subject) else { return left };
    let (Some(from), into) = (found.name("from"), found.name("into")) else { return left };
    let inside = from.start() <= attempt.start && attempt.end <= from.end();
    let release = words::RELEASE_BRANCH.captures(from.as_str());
    let named = release.as_ref().and_then(|release| release.name("version")).map(|version| version.as_str());
    let is_it = named.is_some_and(|named| attempt.text.trim_start_matches(['v', 'V']) == named);
    // `Merge tag 'v6.1' of https://…` takes another project's, `into develop` brings a release back
    let elsewhere = found.name("of").is_some_and(|of| of.as_str().contains(['/', ':']));
    let back = into.is_some_and(|into| words::BACK.is_match(into.as_str()));
    if inside && is_it && is_pre_release_or_none(attempt.text) && !elsewhere && !back {
        return Verdict::Releases(LinePlace::Branch);
    }
    left
}

/// `release/v1.2.3-rc.1`, and not `release/v1.2.3-new-search`.
fn is_pre_release_or_none(version: &str) -> bool {
    let Some((_, pre)) = version.split_once('-') else { return true };
    let pre = pre.to_lowercase();
    ["alpha", "beta", "rc", "pre", "next", "canary", "dev"].iter().any(|word| pre.starts_with(word))
        || pre.starts_with(|c: char| c.is_ascii_digit())
}
