//! What the status of an answer usually means.

use crate::report::text::one_line;

/// What a status that is not healthy usually means.
pub fn of_status(status: u16, location: Option<&str>) -> String {
    let to = location.map(|to| format!(" to {}", one_line(to, 100))).unwrap_or_default();
    match status {
        301 | 302 | 307 | 308 => {
            format!(", a redirect{to}: often to https or another host, so state `health: {{host: …}}` or another path")
        }
        400 | 421 => ": it may not know the Host header, so state `health: {host: …}`".to_owned(),
        401 | 403 => ": it wants a login or another Host header, so choose a path that is open to all".to_owned(),
        404 => ": it has no such path, so state `health: {path: …}`".to_owned(),
        500..=599 => ": the service says that it does not work".to_owned(),
        _ => String::new(),
    }
}
