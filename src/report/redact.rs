//! The one redaction: whatever leaves this process for people or programs passes it.

use super::Event;
use super::mask;
use crate::secret::Secret;
use serde_json::Value;
use std::collections::BTreeSet;

/// The texts that are hidden, and those that can't be a secret.
#[derive(Default)]
pub(super) struct Redaction {
    /// Longest first: a text that holds another one is hidden as a whole.
    hidden: Vec<Secret>,
    public: BTreeSet<String>,
}

impl Redaction {
    /// These are no secrets, even if a variable that may hold one says the same: a host, an environment's name.
    pub(super) fn publish(&mut self, words: impl IntoIterator<Item = String>) {
        self.public.extend(words);
    }

    /// Hides a text from now on; gives the forms of it that are.
    pub(super) fn hide(&mut self, secret: &Secret) -> Vec<String> {
        let whole = secret.expose().trim();
        if self.public.contains(whole) || crate::release::version::Version::parse(whole).is_ok() {
            return Vec::new();
        }
        let forms = mask::forms(secret.expose());
        self.hidden.extend(forms.iter().map(Secret::new));
        self.hidden.sort_by(|a, b| (b.expose().len(), b.expose()).cmp(&(a.expose().len(), a.expose())));
        self.hidden.dedup();
        forms
    }

    pub(super) fn text(&self, text: &mut String) {
        for secret in &self.hidden {
            if text.contains(secret.expose()) {
                *text = text.replace(secret.expose(), "***");
            }
        }
    }

    /// A text that is a fact of its own: one that is public stays, although a part of it may be a secret.
    pub(super) fn word(&self, word: &mut String) {
        if !self.public.contains(word) {
            self.text(word);
        }
    }

    /// Every text in a value, keys too.
    pub(super) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.word(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(entries) => {
                for (mut key, mut item) in std::mem::take(entries) {
                    self.text(&mut key);
                    self.value(&mut item);
                    entries.insert(key, item);
                }
            }
            // one of a few digits is a port or a count
            Value::Number(number) => {
                let number = number.to_string();
                if number.len() >= 8 && self.hidden.iter().any(|secret| secret.expose() == number) {
                    *value = Value::String("***".to_owned());
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Every text in an event.
    pub(super) fn event(&self, mut event: Event) -> Event {
        let clean = |texts: &mut [&mut String]| texts.iter_mut().for_each(|text| self.text(text));
        match &mut event {
            Event::Phase { name } => clean(&mut [name]),
            Event::Published { id, url, .. } => clean(&mut [id, url]),
            Event::StepBegin { host, step, text } | Event::StepEnd { host, step, text, .. } => {
                clean(&mut [host, step, text]);
            }
            Event::Progress { host, text, .. } | Event::Note { host, text, .. } => clean(&mut [host, text]),
            Event::Output { host, source, text } => clean(&mut [host, source, text]),
            Event::Line { host, source, text, label } => clean(&mut [host, source, text, label]),
            Event::Command { host, why, command, .. } => clean(&mut [host, why, command]),
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hiding(secrets: &[&str]) -> Redaction {
        let mut redaction = Redaction::default();
        redaction.publish(["production".to_owned()]);
        secrets.iter().for_each(|secret| drop(redaction.hide(&Secret::new(*secret))));
        redaction
    }

    #[test]
    fn a_secret_and_its_lines_are_hidden_in_every_text_of_an_event() {
        let redaction = hiding(&["first-line\nsecond-line\n", "48151623"]);
        let event = Event::Output {
            host: String::new(),
            source: "x".into(),
            text: "a second-line and first-line\nsecond-line!".into(),
        };
        let Event::Output { text, .. } = redaction.event(event) else { unreachable!() };
        assert_eq!(text, "a *** and ***!");
        let mut data = json!({"first-line": [{"a": "is second-line"}, 48151623, 4815162342u64, true, null]});
        redaction.value(&mut data);
        assert_eq!(data, json!({"***": [{"a": "is ***"}, "***", 4815162342u64, true, null]}));
    }

    #[test]
    fn a_version_and_what_the_configuration_says_are_no_secrets() {
        let redaction = hiding(&["v1.2.3", "production", "prod"]);
        let mut data = json!(["v1.2.3", "production", "prod"]);
        redaction.value(&mut data);
        assert_eq!(data, json!(["v1.2.3", "production", "***"]));
    }
}
