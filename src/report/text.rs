//! Remote and other foreign text, made harmless before it is shown.

/// Escapes control characters (terminal escapes, carriage returns, bidirectional overrides) and keeps `\n` and `\t`.
///
/// GitHub's runner (`ActionCommand`) takes `::name::` for a command at the start of a line, so every line that starts with
/// `::` (spaces before it included) gets a leading `│ `; it takes `##[name]` anywhere, so that bracket is escaped.
pub fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let head = line.trim_start();
        if head.starts_with("::") {
            out.push_str("│ ");
        }
        for c in line.strip_suffix('\r').unwrap_or(line).chars() {
            match c {
                '\t' => out.push(c),
                '[' if out.ends_with("##") => out.extend(c.escape_unicode()),
                c if c.is_control() || is_directional(c) => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
    }
    out
}

/// `inert`, on one line and cut to `limit` characters.
pub fn one_line(text: &str, limit: usize) -> String {
    let flat = inert(text.trim()).replace('\n', "⏎");
    match flat.char_indices().nth(limit) {
        Some((at, _)) => format!("{}…", &flat[..at]),
        None => flat,
    }
}

fn is_directional(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Digests by their first twelve characters, for people.
pub(super) fn short_digests(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let end = part.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(part.len());
        format!("{text}sha256:{}{}", &part[..end.min(12)], &part[end..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflow_commands_and_escapes_are_inert() {
        assert_eq!(inert("a\n::set-output name=x::y"), "a\n│ ::set-output name=x::y");
        assert_eq!(inert("  ::error::x"), "│   ::error::x");
        assert_eq!(inert("a ##[error]x [##] # # ["), "a ##\\u{5b}error]x [##] # # [");
        assert_eq!(inert("\u{1b}[31mred\r\n\tok"), "\\u{1b}[31mred\n\tok");
        assert_eq!(inert("a\r::error::x"), "a\\u{d}::error::x");
    }

    #[test]
    fn one_line_is_cut_at_a_character() {
        assert_eq!(one_line("äöü\nx", 4), "äöü⏎…");
    }
}
