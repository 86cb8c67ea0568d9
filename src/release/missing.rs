//! What is said where a text has a version and releases nothing.
use super::grammar::Candidate;
use super::source::{Nothing, TextLooked};
use super::verdict::{Reason, Verdict};
use crate::report::text::one_line;

/// Why there is nothing to release in these texts, and what would have made it a release.
pub(super) fn nothing(looked: &[TextLooked]) -> Nothing {
    let told = looked.iter().find_map(|looked| Some((looked, telling(looked)?)));
    let Some((looked_into, candidate)) = told else {
        let places: Vec<String> = looked.iter().map(|looked| looked.source.to_string()).collect();
        let why = format!("no version (vMAJOR.MINOR.PATCH) in {}", places.join(" or "));
        return Nothing { why, ..Nothing::default() };
    };
    let line = looked_into.text.lines().nth(candidate.line - 1).unwrap_or_default();
    let line = one_line(line, 120);
    let reason = match (candidate.verdict, &candidate.version) {
        (Verdict::Passed(reason), _) => reason.to_string(),
        (_, Err(error)) => error.to_string(),
        (_, Ok(_)) => "nothing says that it is this app's".to_owned(),
    };
    let shown = one_line(&candidate.text, 60);
    let why = format!("{shown} in {} is not taken, `{line}`: {reason}", looked_into.source);
    let lone = looked_into.reading.lone().map(|version| (version, looked_into.source));
    Nothing { why, todo: Some(todo(candidate)), lone }
}

/// The version that says most about why: one that a person may have meant before all others.
fn telling(looked: &TextLooked) -> Option<&Candidate> {
    let all = &looked.reading.candidates;
    all.iter().find(|one| one.verdict == Verdict::Unplaced).or_else(|| all.first())
}

fn todo(candidate: &Candidate) -> String {
    let version = candidate.version.as_ref().map_or_else(|_| "vX.Y.Z".to_owned(), ToString::to_string);
    match candidate.verdict {
        Verdict::Passed(Reason::Revert) => "to release what it comes to, commit it with a new version, as in `vX.Y.Z: \
            revert the search`; `cutover rollback` goes back on the hosts"
            .to_owned(),
        Verdict::Passed(Reason::Dependency | Reason::Product) => "to release this commit, name the app's own version, \
            as in `vX.Y.Z: newer libraries`, or give it by --version (the input `version`)"
            .to_owned(),
        Verdict::Passed(Reason::Unfinished) => {
            "to release it, commit it under a subject that begins with the version".to_owned()
        }
        _ => format!(
            "it releases as `{version}: …`, as `… ({version})`, as `Release {version}`, or on a line of its own below; \
             `version-from: anywhere` in cutover.yml takes a version wherever it stands; --version {version} (the \
             input `version`) releases it now"
        ),
    }
}
