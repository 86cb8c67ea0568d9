//! Messages as people, bots and tools write them, and what each releases.
#![allow(clippy::unwrap_used)]
use super::*;

/// What a message releases: a version, `none`, `lone VERSION` or `error`.
fn outcome(reading: &Reading) -> String {
    match (reading.version(), reading.lone()) {
        (Err(_), _) => "error".to_owned(),
        (Ok(Some(version)), _) => version.to_string(),
        (Ok(None), Some(version)) => format!("lone {version}"),
        (Ok(None), None) if reading.candidates.is_empty() => "none".to_owned(),
        (Ok(None), None) => "left".to_owned(),
    }
}

#[test]
fn each_message_releases_what_its_author_meant() {
    let own = ["backend-api".to_owned()];
    let table = include_str!("testdata/messages.txt");
    let (mut wrong, mut count) = (String::new(), 0);
    for (number, line) in table.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("##")) {
        let (expected, message) = line.split_once(" | ").unwrap_or_else(|| panic!("line {}: {line}", number + 1));
        let message = message.replace("\\n", "\n");
        let reading = read(&message, Shape::Message, &own, None);
        let found = outcome(&reading);
        count += 1;
        if found != expected.trim() {
            let said: Vec<String> =
                reading.candidates.iter().map(|one| format!("{} {}", one.text, one.verdict)).collect();
            wrong += &format!("line {}: expected {expected}, found {found}: {message:?}\n  {said:?}\n", number + 1);
        }
    }
    assert!(count >= 80, "{count} messages");
    assert!(wrong.is_empty(), "\n{wrong}");
}
