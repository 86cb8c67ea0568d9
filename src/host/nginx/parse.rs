//! A reader of nginx configuration syntax that keeps byte offsets, so that an edit can leave every other byte alone.

use std::fmt;

/// One word of a directive, with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word without its quotes; escapes are kept as written.
    pub text: String,
    /// Byte offset of the first character inside the quotes.
    pub start: usize,
    /// Byte offset behind the last character inside the quotes.
    pub end: usize,
}

/// A directive: its words, and the directives of its block if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Name first, then the parameters. Never empty.
    pub words: Vec<Word>,
    /// The directives inside `{ … }`.
    pub block: Option<Vec<Directive>>,
}

impl Directive {
    /// The directive's name.
    pub fn name(&self) -> &str {
        &self.words[0].text
    }

    /// The parameters behind the name.
    pub fn args(&self) -> impl Iterator<Item = &str> {
        self.words[1..].iter().map(|word| word.text.as_str())
    }

    /// The directives of its block that are called `name`.
    pub fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Directive> {
        self.block.iter().flatten().filter(move |child| child.name() == name)
    }
}

/// The text is not nginx configuration: where and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// 1-based line.
    pub line: usize,
    /// What was wrong there.
    pub what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Malformed {}

/// Deeper nesting than any real configuration: a bound, so that hostile text cannot exhaust the stack.
const MAX_DEPTH: usize = 64;

/// Reads a whole configuration text (nginx manual, "Configuration file's structure").
pub fn parse(text: &str) -> Result<Vec<Directive>, Malformed> {
    let mut reader = Reader { text, at: 0 };
    let directives = reader.block(0)?;
    if reader.at < text.len() {
        return Err(reader.malformed("a `}` with no block open"));
    }
    Ok(directives)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn block(&mut self, depth: usize) -> Result<Vec<Directive>, Malformed> {
        if depth > MAX_DEPTH {
            return Err(self.malformed("blocks nested too deep"));
        }
        let mut directives = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        loop {
            self.skip_space_and_comments();
            match self.peek() {
                None if !words.is_empty() => return Err(self.malformed("a directive with no `;` at its end")),
                None => return Ok(directives),
                Some(b'}') if !words.is_empty() => return Err(self.malformed("a directive with no `;` before `}`")),
                Some(b'}') => return Ok(directives),
                Some(b';') if words.is_empty() => return Err(self.malformed("a `;` with no directive before it")),
                Some(b';') => {
                    self.at += 1;
                    directives.push(Directive { words: std::mem::take(&mut words), block: None });
                }
                Some(b'{') if words.is_empty() => return Err(self.malformed("a `{` with no directive before it")),
                Some(b'{') => {
                    self.at += 1;
                    let inner = self.block(depth + 1)?;
                    if self.peek() != Some(b'}') {
                        return Err(self.malformed("a block with no `}` at its end"));
                    }
                    self.at += 1;
                    directives.push(Directive { words: std::mem::take(&mut words), block: Some(inner) });
                }
                Some(quote @ (b'"' | b'\'')) => words.push(self.quoted(quote)?),
                Some(_) => words.push(self.bare()),
            }
        }
    }

    fn quoted(&mut self, quote: u8) -> Result<Word, Malformed> {
        self.at += 1;
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => self.at += 2,
                byte if byte == quote => {
                    let end = self.at;
                    self.at += 1;
                    return Ok(self.word(start, end));
                }
                _ => self.at += 1,
            }
        }
        self.at = start;
        Err(self.malformed("a quote that is never closed"))
    }

    fn bare(&mut self) -> Word {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => self.at += 2,
                b'$' if self.text.as_bytes().get(self.at + 1) == Some(&b'{') => {
                    let rest = &self.text.as_bytes()[self.at..];
                    self.at += rest.iter().position(|&b| b == b'}').map_or(2, |close| close + 1);
                }
                b';' | b'{' | b'}' => break,
                byte if byte.is_ascii_whitespace() => break,
                _ => self.at += 1,
            }
        }
        self.at = self.at.min(self.text.len());
        self.word(start, self.at)
    }

    fn word(&self, start: usize, end: usize) -> Word {
        Word { text: self.text.get(start..end).unwrap_or_default().to_owned(), start, end }
    }

    fn skip_space_and_comments(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => {
                    let rest = &self.text.as_bytes()[self.at..];
                    self.at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                }
                byte if byte.is_ascii_whitespace() => self.at += 1,
                _ => return,
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn malformed(&self, what: &'static str) -> Malformed {
        let before = &self.text.as_bytes()[..self.at.min(self.text.len())];
        Malformed { line: 1 + before.iter().filter(|&&b| b == b'\n').count(), what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_quotes_comments_and_blocks_are_read() {
        let text =
            "user nginx; # a { comment }\nhttp {\n  log_format x '$a \"b\"; {';\n  map $x ${y} { default 1; }\n}\n";
        let tree = parse(text).expect("reads");
        assert_eq!(tree[0].args().collect::<Vec<_>>(), ["nginx"]);
        let http = tree[1].block.as_ref().expect("a block");
        assert_eq!(http[0].words[2].text, "$a \"b\"; {");
        assert_eq!(http[1].words[2].text, "${y}");
    }

    #[test]
    fn malformed_text_names_its_line() {
        for (text, line, what) in [
            ("a b", 1, "a directive with no `;` at its end"),
            ("a {\n b;\n", 3, "a block with no `}` at its end"),
            ("a;\n}", 2, "a `}` with no block open"),
            ("a 'b", 1, "a quote that is never closed"),
            (";", 1, "a `;` with no directive before it"),
            ("{", 1, "a `{` with no directive before it"),
            ("a { b }", 1, "a directive with no `;` before `}`"),
        ] {
            assert_eq!(parse(text), Err(Malformed { line, what }), "{text:?}");
        }
    }

    #[test]
    fn hostile_text_ends_in_an_answer() {
        assert!(parse(&"a {".repeat(100_000)).is_err());
        for text in ["\\", "a\\", "'\\", "${", "a ${", "é\\é;", "\\é;"] {
            let _ = parse(text);
        }
    }
}
