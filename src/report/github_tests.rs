//! What the runner is told, and what it is not.
#![allow(clippy::unwrap_used)]
use super::*;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The lines of a log, with the random word of each stop as `TOKEN`.
fn log(tell: impl Fn(&mut GitHubLog)) -> Vec<String> {
    let log = Log::default();
    let mut sink = GitHubLog::new(Box::new(log.clone()));
    tell(&mut sink);
    sink.finish();
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let tokens: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("::stop-commands::")).collect();
    let clean = tokens.iter().fold(text.clone(), |text, token| text.replace(*token, "TOKEN"));
    clean.lines().map(str::to_owned).collect()
}

fn phase(name: &str) -> Event {
    Event::Phase { name: name.to_owned() }
}

fn output(text: &str) -> Event {
    Event::Output { host: String::new(), source: "build".to_owned(), text: text.to_owned() }
}

fn note(level: Level, text: &str) -> Event {
    Event::Note { level, host: "web-1".to_owned(), text: text.to_owned() }
}

#[test]
fn a_phase_is_a_group_and_an_error_stands_outside() {
    let said = log(|sink| {
        for event in [phase("Build 100%"), note(Level::Info, "hello"), phase("Swap"), note(Level::Error, "a\n::b%")] {
            sink.show(&event, Duration::ZERO);
        }
    });
    let expected = [
        "::group::Build 100%25",
        "   0.00  web-1 hello",
        "::endgroup::",
        "::group::Swap",
        "::endgroup::",
        "::error title=cutover::web-1: a%0A│ ::b%25",
    ];
    assert_eq!(said, expected);
}

#[test]
fn what_others_print_cannot_speak_to_the_runner() {
    let said = log(|sink| {
        for event in [output("::set-output name=a::b"), output("ok\u{1b}[31m"), note(Level::Warning, "w"), output("x")]
        {
            sink.show(&event, Duration::ZERO);
        }
    });
    let expected = [
        "::stop-commands::TOKEN",
        "  build │ │ ::set-output name=a::b",
        "  build │ ok\\u{1b}[31m",
        "::TOKEN::",
        "::warning title=cutover::web-1: w",
        "::stop-commands::TOKEN",
        "  build │ x",
        "::TOKEN::",
    ];
    assert_eq!(said, expected);
}

#[test]
fn the_token_of_a_stop_is_never_the_same() {
    let token = || {
        let log = Log::default();
        GitHubLog::new(Box::new(log.clone())).show(&output("x"), Duration::ZERO);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        text.lines().next().unwrap().to_owned()
    };
    assert_ne!(token(), token());
    assert!(token().len() >= "::stop-commands::".len() + 32);
}

#[test]
fn a_secret_is_masked_once_in_every_form() {
    let forms = crate::report::mask::forms("line-1\nline-2");
    let said = log(|sink| {
        sink.mask(&forms);
        sink.mask(&forms);
    });
    assert_eq!(said.len(), forms.len());
    assert!(said.contains(&"::add-mask::line-1%0Aline-2".to_owned()), "{said:?}");
    assert!(said.contains(&"::add-mask::line-1%250Aline-2".to_owned()), "{said:?}");
}

#[test]
fn an_error_in_a_file_marks_its_line() {
    let said = log(|sink| {
        sink.mark("a,b:c.yml", 3, 7, "bad: 50%");
        sink.mark("cutover.yml", 0, 0, "no such file");
    });
    assert_eq!(said[0], "::error title=cutover,file=a%2Cb%3Ac.yml,line=3,col=7::bad: 50%25");
    assert_eq!(said[1], "::error title=cutover,file=cutover.yml::no such file");
}
