//! The verdict on a version in a subject, or in a line below it.
use super::scan::Attempt;
use super::verdict::{LinePlace, Reason, Verdict};
use super::words;

/// Types of conventional commits, and those that teams add, after which a release may be named.
const TYPES: [&str; 25] = [
    "feat",
    "feature",
    "chore",
    "release",
    "rel",
    "deploy",
    "version",
    "ver",
    "bump",
    "publish",
    "hotfix",
    "prod",
    "production",
    "merge",
    "app",
    "init",
    "update",
    "fix",
    "docs",
    "style",
    "refactor",
    "perf",
    "test",
    "build",
    "ci",
];

/// After these a version with a sentence behind it is what the sentence speaks of: `fix: v1.2.3 login`.
const WEAK: [&str; 8] = ["fix", "docs", "style", "refactor", "perf", "test", "build", "ci"];

/// The parts of a line around a version.
struct Around<'t> {
    /// All before it.
    before: &'t str,
    /// The same, less types, tags, ticket numbers and markup.
    said: &'t str,
    after: &'t str,
    /// Its type is one of [`WEAK`].
    weak: bool,
}

impl<'t> Around<'t> {
    fn of(line: &'t str, attempt: &Attempt<'_>) -> Around<'t> {
        let before = &line[..attempt.start];
        let (said, kind) = stripped(before);
        let weak = kind.is_some_and(|kind| WEAK.iter().any(|weak| kind.eq_ignore_ascii_case(weak)));
        Around { before, said, after: &line[attempt.end..], weak }
    }

    /// Nothing follows but the number of a pull request, a word for the CI, a full stop.
    fn ends(&self) -> bool {
        words::TRAILER.is_match(self.after)
    }
}

/// Why a subject releases nothing, and nothing below it does.
pub(super) fn never(subject: &str) -> Option<Reason> {
    let (said, kind) = stripped(subject);
    let reverts = |text: &str| words::REVERTS.is_match(text);
    if words::BOT.is_match(subject.trim_start()) {
        return Some(Reason::Dependency);
    }
    if words::UNFINISHED.is_match(subject) || words::UNFINISHED.is_match(said) {
        return Some(Reason::Unfinished);
    }
    let taken_back = reverts(said) || reverts(subject) || kind.is_some_and(|kind| kind.eq_ignore_ascii_case("revert"));
    taken_back.then_some(Reason::Revert)
}

/// Whether two versions with this text between them are said in one breath: `v1.2.0 and v1.3.0`.
pub(super) fn joins(between: &str) -> bool {
    let between = between.trim();
    ["", "and", "or", ",", "&", "/", "+", "및", "와", "과", "랑", "と", "和", "与", "與"].contains(&between)
}

/// The verdict on a version in a subject or title.
pub(super) fn judge(line: &str, attempt: &Attempt<'_>, own: &[String]) -> Verdict {
    let around = Around::of(line, attempt);
    if words::RANGE.is_match(around.after) {
        return Verdict::Passed(Reason::Earlier);
    }
    if let Some(verdict) = raised(&around, own) {
        return verdict;
    }
    // what was meant as a pre-release and is no version is an error, below
    let broken = attempt.is_whole() && attempt.version().is_err();
    if let Some(reason) = afterwards(around.after).filter(|reason| *reason != Reason::PreRelease || !broken) {
        return Verdict::Passed(reason);
    }
    let range = words::RANGE_END.captures(around.before);
    let rest = range.as_ref().and_then(|range| range.name("rest")).map_or(around.before, |rest| rest.as_str());
    let said = if range.is_some() { stripped(rest).0 } else { around.said };
    if releases(said) || releases(rest) {
        let not = words::NOT.is_match(said);
        return if not { Verdict::Passed(Reason::Prose) } else { Verdict::Releases(LinePlace::Word) };
    }
    if outside_brackets(said).is_empty() && range.is_some() && !around.ends() {
        // `v1.4.2 to v1.4.3 migration`
        let separated = around.after.trim_start().starts_with([':', '(', '-', '–', '—', ',']);
        return if separated { Verdict::Releases(LinePlace::Word) } else { Verdict::Passed(Reason::Prose) };
    }
    if outside_brackets(said).is_empty() {
        return at_start(&around, attempt);
    }
    if range.is_some() {
        return Verdict::Passed(Reason::Prose);
    }
    if attempt.bare {
        return Verdict::Unplaced;
    }
    let speaks = words::SPEAKS_OF.is_match(said) || words::NOT.is_match(said);
    if let Some(place) = place(&around).filter(|_| !words::PRODUCT.is_match(outside_brackets(said))) {
        let alone = place == LinePlace::Brackets || place == LinePlace::End;
        return if alone || !speaks { Verdict::Releases(place) } else { Verdict::Passed(Reason::Prose) };
    }
    if words::PRODUCT.is_match(said) {
        return Verdict::Passed(Reason::Product);
    }
    if speaks {
        return Verdict::Passed(Reason::Prose);
    }
    if around.before.ends_with('/') { Verdict::Passed(Reason::Name) } else { Verdict::Unplaced }
}

/// The verdict on a version in a line below.
pub(super) fn judge_body(line: &str, attempt: &Attempt<'_>) -> Verdict {
    let around = Around::of(line, attempt);
    let label = around.before.trim_start_matches(|c: char| c.is_whitespace() || "#*_`\"'([".contains(c));
    let alone = around.ends() || ends_released(around.after);
    if !attempt.bare && alone && (label.is_empty() || words::LABEL.is_match(label)) {
        return Verdict::Releases(LinePlace::Line);
    }
    if words::RANGE.is_match(around.after) {
        return Verdict::Passed(Reason::Earlier);
    }
    if let Some(reason) = afterwards(around.after) {
        return Verdict::Passed(reason);
    }
    let labelled = around.before.trim_end_matches([':', ' ']);
    if words::PRODUCT.is_match(around.before) || words::PRODUCT.is_match(labelled) {
        return Verdict::Passed(Reason::Product);
    }
    if words::SPEAKS_OF.is_match(around.before)
        || words::SPEAKS_OF.is_match(labelled)
        || words::RANGE_END.is_match(around.before)
    {
        return Verdict::Passed(Reason::Prose);
    }
    Verdict::Unplaced
}

/// The text less what may come before a subject's first word, and the conventional type that it had.
fn stripped(text: &str) -> (&str, Option<&str>) {
    let (mut rest, mut kind) = (text, None);
    loop {
        let mark = words::DECORATION.find(rest);
        let typed = words::TYPE.captures(rest).filter(|found| {
            let word = &found["type"];
            word.eq_ignore_ascii_case("revert") || TYPES.iter().any(|known| known.eq_ignore_ascii_case(word))
        });
        let end = match (&mark, &typed) {
            (Some(mark), _) => mark.end(),
            (None, Some(typed)) => {
                kind = kind.or(typed.name("type").map(|word| word.as_str()));
                typed.get(0).map_or(0, |all| all.end())
            }
            (None, None) => return (rest.trim(), kind),
        };
        if end == 0 {
            return (rest.trim(), kind);
        }
        rest = &rest[end..];
    }
}

/// A version that something is raised to: this app's, or something else's.
fn raised(around: &Around<'_>, own: &[String]) -> Option<Verdict> {
    let (said, after) = (around.said, around.after);
    let releases = Verdict::Releases(LinePlace::Word);
    if words::RAISED.is_match(after) {
        let range = words::RANGE_END.captures(said);
        let said = range.as_ref().and_then(|range| range.name("rest")).map_or(said, |rest| rest.as_str().trim());
        let ours = said.is_empty() || words::RELEASES_BEFORE.is_match(said);
        return Some(if ours { releases } else { Verdict::Passed(Reason::Dependency) });
    }
    let raises = [&words::RAISES, &words::RAISES_AT_ONCE, &words::RAISES_CJK];
    // the words of `stripped` are trimmed, and a space decides
    let spaced = format!("{said} ");
    let found = raises.iter().find_map(|raises| raises.captures(&spaced))?;
    let object = found["object"].trim();
    let named = || own.iter().any(|own| own.eq_ignore_ascii_case(object));
    if object.is_empty() || words::OWN.is_match(object) || named() || is_version_word(object) {
        return (!object.is_empty() || self::releases(&spaced)).then_some(releases);
    }
    (!self::releases(&spaced)).then_some(Verdict::Passed(Reason::Dependency))
}

fn is_version_word(object: &str) -> bool {
    ["版本", "版本号", "版本號", "버전", "バージョン"].contains(&object)
}

fn releases(before: &str) -> bool {
    let all = [&words::RELEASES, &words::RELEASES_BEFORE, &words::TOOL, &words::PLUGIN];
    !before.trim().is_empty() && all.iter().any(|words| words.is_match(before))
}

/// What stands after a version and says that it is not released now.
fn afterwards(after: &str) -> Option<Reason> {
    if words::PRE_RELEASE.is_match(after) {
        return Some(Reason::PreRelease);
    }
    (words::AFTERWARDS.is_match(after) || words::PARTICLES.is_match(after)).then_some(Reason::Prose)
}

/// `v1.2.3 배포`, and nothing more.
fn ends_released(after: &str) -> bool {
    words::RELEASED.find(after).is_some_and(|found| {
        let rest = after[found.end()..].trim_start_matches(|c: char| "합니다함완료하기する済み！!.。 ".contains(c));
        rest.is_empty()
    })
}

fn at_start(around: &Around<'_>, attempt: &Attempt<'_>) -> Verdict {
    let released = words::RELEASED.is_match(around.after);
    if attempt.bare && !around.ends() && !released {
        return Verdict::Unplaced;
    }
    let sentence = around.after.starts_with(char::is_whitespace)
        && around.after.trim_start().starts_with(char::is_alphanumeric)
        && !around.ends();
    if sentence && around.weak && !released {
        return Verdict::Unplaced;
    }
    if sentence && !attempt.is_whole() {
        return Verdict::Passed(Reason::NotWhole);
    }
    let bracket = around.before.ends_with('[') || around.before.ends_with('(');
    Verdict::Releases(if bracket { LinePlace::Brackets } else { LinePlace::Start })
}

/// Brackets, the end after a dash, or a word behind it.
fn place(around: &Around<'_>) -> Option<LinePlace> {
    let before = around.before.trim_end_matches(['`', '*', '_', '"', '\'']);
    let after = around.after.trim_start_matches(['`', '*', '_', '"', '\'']);
    let pairs = [('(', ')'), ('[', ']'), ('{', '}'), ('「', '」'), ('『', '』'), ('《', '》')];
    let closed = pairs.into_iter().find(|(open, close)| before.ends_with(*open) && after.starts_with(*close));
    if let Some((open, _)) = closed {
        return (open == '[' || around.ends()).then_some(LinePlace::Brackets);
    }
    if around.ends() && ends_with_dash(before) {
        return Some(LinePlace::End);
    }
    words::RELEASED.is_match(after).then_some(LinePlace::Word)
}

/// A dash that stands between spaces, or the long one.
fn ends_with_dash(before: &str) -> bool {
    let dash = before.trim_end();
    let cut = dash.trim_end_matches(['-', '–', '—', '|', '/', '·', '•', '~']);
    dash.ends_with('—') || (cut.len() < dash.len() && cut.ends_with(char::is_whitespace))
}

fn outside_brackets(said: &str) -> &str {
    said.trim_end_matches(|c: char| "([{「『《`*_\"' ".contains(c))
}
