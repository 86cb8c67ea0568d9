//! The lines of a message, and what each is.
use super::grammar::Shape;
use super::words;

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind {
    /// The subject of a commit, or the title of a pull request that was merged.
    Subject,
    /// A merge's own subject.
    Merge,
    /// A line below.
    Body,
    /// A heading in Markdown.
    Heading,
    /// A quotation, a list's item, a comment, code, or what a program printed.
    Quoted,
}

/// A line that is not blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextLine<'t> {
    pub(super) text: &'t str,
    /// From 1.
    pub(super) number: usize,
    pub(super) kind: LineKind,
}

/// Longer lines are no subjects, and nobody's version is behind so much.
const LONGEST: usize = 2_000;

/// Nor is it below so many.
const MOST: usize = 2_000;

/// The lines that are not blank. Trailing space and what is longer than any line is cut off.
pub(super) fn lines(text: &str, shape: Shape) -> Vec<TextLine<'_>> {
    let mut below = Below::default();
    let mut next = if shape == Shape::Description { LineKind::Body } else { LineKind::Subject };
    let mut found = Vec::new();
    for (number, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()).take(MOST) {
        let text = cut(text.trim_end());
        let kind = match next {
            LineKind::Subject if found.is_empty() && is_merge(text.trim_start()) => LineKind::Merge,
            LineKind::Subject => LineKind::Subject,
            _ => below.kind(text),
        };
        // a merge says below what was merged
        next = if kind == LineKind::Merge && shape == Shape::Message { LineKind::Subject } else { LineKind::Body };
        let text = if matches!(kind, LineKind::Subject | LineKind::Merge) { text.trim() } else { text };
        found.push(TextLine { text, number: number + 1, kind });
    }
    found
}

/// `Merged PR 12: title` is a title.
fn is_merge(subject: &str) -> bool {
    words::MERGE.is_match(subject) && !subject.starts_with("Merged PR ")
}

fn cut(text: &str) -> &str {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}

/// What lines below the subject are in.
#[derive(Default)]
struct Below {
    fence: Option<char>,
    comment: bool,
    /// The line before was a command: what comes now is its output.
    command: bool,
}

impl Below {
    fn kind(&mut self, text: &str) -> LineKind {
        let trimmed = text.trim_start();
        let command = std::mem::replace(&mut self.command, trimmed.starts_with("$ ") || trimmed.starts_with("% "));
        if self.fenced(trimmed) || self.commented(trimmed) || command || self.command {
            return LineKind::Quoted;
        }
        let indented = text.starts_with("    ") || text.starts_with('\t');
        let numbered = trimmed.trim_start_matches(|c: char| c.is_ascii_digit());
        let item = ["- ", "* ", "+ ", "• ", "・"].iter().any(|mark| trimmed.starts_with(mark))
            || (numbered.len() < trimmed.len() && (numbered.starts_with(". ") || numbered.starts_with(") ")));
        match trimmed.starts_with('#') {
            _ if indented || item || trimmed.starts_with(['>', '|']) => LineKind::Quoted,
            true => LineKind::Heading,
            false => LineKind::Body,
        }
    }

    fn fenced(&mut self, text: &str) -> bool {
        let mark = ['`', '~'].into_iter().find(|mark| text.starts_with(&mark.to_string().repeat(3)));
        match (self.fence, mark) {
            (None, Some(mark)) => self.fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => {
                self.fence = None;
                return true;
            }
            _ => {}
        }
        self.fence.is_some()
    }

    fn commented(&mut self, text: &str) -> bool {
        let (was, begins) = (self.comment, text.contains("<!--"));
        self.comment = (was || begins) && !text.contains("-->");
        was || begins
    }
}

/// The version of a package in a line below a subject that releases packages: as it stands there, and the version.
pub(super) fn package(subject: &str, line: &TextLine<'_>) -> Option<(String, String)> {
    if line.kind == LineKind::Subject || !words::VERSIONS.is_match(subject) {
        return None;
    }
    let found = words::PACKAGE.captures(line.text)?;
    Some((line.text.trim().trim_start_matches(['#', '-', '*', ' ']).to_owned(), found["version"].to_owned()))
}
