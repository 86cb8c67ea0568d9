//! Colours, where a terminal takes them: not where NO_COLOR says so (no-color.org), nor on one that is called dumb.

use std::io::{IsTerminal as _, stderr, stdout};
use std::sync::LazyLock;

/// A colour of the terminal's own palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Bold,
    Red,
    Green,
    Yellow,
    Cyan,
}

static ON_STDERR: LazyLock<bool> = LazyLock::new(|| stderr().is_terminal() && is_wanted());
static ON_STDOUT: LazyLock<bool> = LazyLock::new(|| stdout().is_terminal() && is_wanted());

fn is_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// A text in a colour, for stderr.
pub(super) fn painted(colour: Colour, text: &str) -> String {
    if *ON_STDERR { within(colour, text) } else { text.to_owned() }
}

/// The marks at the start of lines in their colours, for stdout.
pub(super) fn marks(text: &str) -> String {
    if *ON_STDOUT { marked(text) } else { text.to_owned() }
}

fn marked(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> String {
    let rest = line.trim_start();
    let (before, mark) = (&line[..line.len() - rest.len()], rest.chars().next());
    let colour = match mark {
        Some('✔') => Colour::Green,
        Some('✘') => Colour::Red,
        Some('!' | '↺') => Colour::Yellow,
        _ => return line.to_owned(),
    };
    let (mark, rest) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
    format!("{before}{}{rest}", within(colour, mark))
}

fn within(colour: Colour, text: &str) -> String {
    let code = match colour {
        Colour::Bold => 1,
        Colour::Red => 31,
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Cyan => 36,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_at_the_start_of_a_line_has_its_colour() {
        assert_eq!(marked("✔ a ✔\n  ! b\nc\n"), "\u{1b}[32m✔\u{1b}[0m a ✔\n  \u{1b}[33m!\u{1b}[0m b\nc\n");
    }
}
