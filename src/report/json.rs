//! One JSON object a line, for programs.

use super::Event;
use std::io::Write;
use std::time::Duration;

/// Prints the event with `at`, the seconds since the run began. JSON escapes every control character by itself; GitHub's
/// runner would take `##[name]` for a command anywhere in a line.
pub(super) fn show(event: &Event, at: Duration) {
    let Ok(mut value) = serde_json::to_value(event) else { return };
    if let Some(object) = value.as_object_mut() {
        object.insert("at".to_owned(), serde_json::json!((at.as_secs_f64() * 1000.0).round() / 1000.0));
    }
    // a reader that went away is no reason to stop a swap
    let _ = writeln!(std::io::stdout().lock(), "{}", value.to_string().replace("##[", "##\\u005b"));
}
