//! What was made of a version in a text, and why.
use std::fmt;

/// Whether a version in a text is the one to release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stands where releases are named.
    Releases(LinePlace),
    /// It is something else.
    Passed(Reason),
    /// Nothing says what it is.
    Unplaced,
}

/// Where releases are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinePlace {
    /// At the start: `v1.2.3 Faster search`, `feat: v1.2.3`.
    Start,
    /// At the end, after a dash: `Faster search – v1.2.3`.
    End,
    /// Alone in brackets: `Faster search (v1.2.3)`, `[v1.2.3] Faster search`.
    Brackets,
    /// With a word that releases: `Release v1.2.3`, `v1.2.3 배포`, `Bump version to 1.2.3`.
    Word,
    /// On a line of its own.
    Line,
    /// In a heading of a description; one of many may be meant.
    Heading,
    /// In the name of a branch that was merged: `release/v1.2.3`.
    Branch,
    /// As the version of a package, where a tool releases packages: `app@1.2.3`.
    Package,
}

/// What a version is that releases nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// That of something the app uses.
    Dependency,
    /// In a commit that takes back another one.
    Revert,
    /// In a commit that is not finished: `fixup!`, `WIP`.
    Unfinished,
    /// Of which the text only speaks: `introduced in v1.2.3`.
    Prose,
    /// That of other software: `Node v20.11.1`.
    Product,
    /// The start of a range, or the one before.
    Earlier,
    /// Followed by a word like `beta`, which is not a part of it.
    PreRelease,
    /// In the name of a branch or file.
    Name,
    /// In a quotation, a comment, a list, code, or the output of a program.
    Quoted,
    /// Two numbers only, at the start of a sentence.
    NotWhole,
}

impl fmt::Display for LinePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinePlace::Start => "it stands at the start of the subject",
            LinePlace::End => "it stands at the end of the subject, after a dash",
            LinePlace::Brackets => "it stands alone in brackets",
            LinePlace::Word => "a word beside it releases it",
            LinePlace::Line => "it has a line of its own",
            LinePlace::Heading => "it is a heading of the description",
            LinePlace::Branch => "the branch that was merged is called after it",
            LinePlace::Package => "the package's version is released",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Dependency => "this raises the version of something else that the app uses",
            Reason::Revert => "this takes back another commit, which releases nothing by itself",
            Reason::Unfinished => "this commit says that it is not finished",
            Reason::Prose => "the text only speaks of that version",
            Reason::Product => "it is the version of other software",
            Reason::Earlier => "it is the start of a range, or the version before",
            Reason::PreRelease => {
                "the word after it makes a pre-release of it; write it as a part, such as v1.2.3-beta.1"
            }
            Reason::Name => "it is part of the name of a branch or file",
            Reason::Quoted => "it stands in a quotation, list, comment or code",
            Reason::NotWhole => "it is no whole version, vMAJOR.MINOR.PATCH",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Releases(place) => write!(f, "taken: {place}"),
            Verdict::Passed(reason) => write!(f, "left: {reason}"),
            Verdict::Unplaced => f.write_str("left: it stands where nothing says that this app is meant"),
        }
    }
}
