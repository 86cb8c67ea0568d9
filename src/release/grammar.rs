//! Where in a message the version of a release stands, and where another one does.
//!
//! Each version in the text gets a verdict, from its line, what stands before it and what comes after it. One that stands
//! where releases are named releases; one that is a dependency's, or of which the text only speaks, is passed over; one that
//! is neither is nobody's guess.
use super::lines::{LineKind, TextLine, lines};
use super::scan::{Attempt, attempts, only, plain};
use super::verdict::{LinePlace, Reason, Verdict};
use super::version::{Version, VersionError};
use super::{merge, subject, words};

/// What kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A commit message: a subject, then a body.
    Message,
    /// One line, as the title of a pull request.
    Title,
    /// A body without a subject.
    Description,
}

/// A version in a text, and what was made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// As it stands there.
    pub text: String,
    /// What it is, where it is one.
    pub version: Result<Version, VersionError>,
    /// In which line of the text, from 1.
    pub line: usize,
    /// Whether it releases.
    pub verdict: Verdict,
}

/// A text that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// Its versions, in order.
    pub candidates: Vec<Candidate>,
    /// It never releases anything, whatever stands in it.
    pub never: Option<Reason>,
}

/// More are not kept.
const MOST: usize = 50;

/// Reads a text. `own` are names of what is released, such as `backend-api`; `author` wrote it, if that is known.
pub fn read(text: &str, shape: Shape, own: &[String], author: Option<&str>) -> Reading {
    let text = plain(text);
    let mut reading = Reading::default();
    if author.is_some_and(|author| words::BOT_AUTHOR.is_match(author)) {
        reading.never = Some(Reason::Dependency);
    }
    let lines = lines(&text, shape);
    let subject = lines.first().filter(|line| line.kind == LineKind::Subject).map(|line| line.text);
    for line in &lines {
        let never = reading.never.or_else(|| never(line));
        reading.never = never.filter(|reason| *reason != Reason::Revert || reading.never.is_some()).or(reading.never);
        read_line(line, subject, own, never, &mut reading);
        if reading.candidates.len() >= MOST {
            break;
        }
    }
    reading.candidates.truncate(MOST);
    reading
}

/// Why this line, and all below it, release nothing. A revert may still name a new version below.
fn never(line: &TextLine<'_>) -> Option<Reason> {
    match line.kind {
        LineKind::Merge => merge::never(line.text),
        LineKind::Subject => subject::never(line.text),
        _ => None,
    }
}

fn read_line(line: &TextLine<'_>, subject: Option<&str>, own: &[String], never: Option<Reason>, reading: &mut Reading) {
    if let Some((text, version)) = subject.and_then(|subject| super::lines::package(subject, line)) {
        let verdict = Verdict::Releases(LinePlace::Package);
        reading.candidates.push(Candidate { text, version: Version::parse(&version), line: line.number, verdict });
        return;
    }
    let mut placed_before = None;
    for attempt in attempts(line.text) {
        let Some(mut verdict) = judge(line, &attempt, own) else { continue };
        if let Some(reason) = never {
            verdict = Verdict::Passed(reason);
        }
        // `v1.2.0 and v1.3.0`: neither is the one
        let joined = |end: usize| subject::joins(&line.text[end..attempt.start]);
        if verdict == Verdict::Unplaced && placed_before.is_some_and(joined) {
            verdict = Verdict::Releases(LinePlace::Start);
        }
        if matches!(verdict, Verdict::Releases(_)) {
            placed_before = Some(attempt.end);
        }
        if verdict == Verdict::Passed(Reason::Dependency) && line.kind == LineKind::Subject && placed_before.is_none() {
            reading.never.get_or_insert(Reason::Dependency);
        }
        let (text, version) = (attempt.text.to_owned(), attempt.version());
        reading.candidates.push(Candidate { text, version, line: line.number, verdict });
        if reading.candidates.len() >= MOST {
            break;
        }
    }
}

/// The verdict on one; `None` for a number that nobody meant as a version.
fn judge(line: &TextLine<'_>, attempt: &Attempt<'_>, own: &[String]) -> Option<Verdict> {
    let verdict = match line.kind {
        LineKind::Subject => subject::judge(line.text, attempt, own),
        LineKind::Merge => merge::judge(line.text, attempt),
        LineKind::Body => subject::judge_body(line.text, attempt),
        LineKind::Heading => match subject::judge_body(line.text, attempt) {
            Verdict::Releases(_) => Verdict::Releases(LinePlace::Heading),
            verdict => verdict,
        },
        LineKind::Quoted => Verdict::Passed(Reason::Quoted),
    };
    let releases = matches!(verdict, Verdict::Releases(_));
    let shown = match (releases, attempt.bare) {
        // 1.2.4-SNAPSHOT is what comes after a release
        (true, true) => attempt.is_whole() && attempt.version().is_ok() && !attempt.text.ends_with("-SNAPSHOT"),
        (true, false) => true,
        (false, true) => false,
        // TLS v1.3
        (false, false) => attempt.is_whole() || verdict == Verdict::Passed(Reason::NotWhole),
    };
    shown.then_some(verdict)
}

impl Reading {
    /// The version that the text releases.
    ///
    /// # Errors
    /// Where a release is named, there is no version, or there are several.
    pub fn version(&self) -> Result<Option<Version>, VersionError> {
        let places = |which: &dyn Fn(LinePlace) -> bool| -> Result<Vec<Version>, VersionError> {
            let mut found: Vec<Version> = Vec::new();
            for candidate in &self.candidates {
                if let Verdict::Releases(place) = candidate.verdict
                    && which(place)
                {
                    let version = candidate.version.clone()?;
                    if !found.contains(&version) {
                        found.push(version);
                    }
                }
            }
            Ok(found)
        };
        // a change log below a release names older ones
        let found = places(&|place| place != LinePlace::Heading)?;
        if found.is_empty() { only(places(&|place| place == LinePlace::Heading)?) } else { only(found) }
    }

    /// The only version that is there and that the grammar can't place: a person may say what it is.
    pub fn lone(&self) -> Option<Version> {
        let mut found: Vec<&Version> = Vec::new();
        for candidate in self.candidates.iter().filter(|candidate| candidate.verdict == Verdict::Unplaced) {
            match &candidate.version {
                Ok(version) if !found.contains(&version) => found.push(version),
                _ => {}
            }
        }
        if let ([only], None) = (&found[..], self.never) { Some((*only).clone()) } else { None }
    }
}

#[cfg(test)]
#[path = "grammar_tests.rs"]
mod tests;
