//! `docker system dial-stdio`: the engine's API over stdin and stdout, of which a deploy wants containers and their end.

use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::thread::{sleep, spawn};
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;

use crate::container::{Container, runs};
use crate::state::State;

/// How often a container's end is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Answers one request after the other until stdin ends.
pub(crate) fn serve() -> Result<()> {
    let mut lines = stdin().lock().lines();
    while let Some(first) = lines.next().transpose()? {
        // no request of a deploy has a body
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let Some(path) = first.strip_prefix("GET /").and_then(|rest| rest.split(' ').next()) else {
            bail!("the stand-in does not know: {first}");
        };
        let state = State::read()?;
        let container = state.containers.into_iter().find(|container| path.contains(&container.id));
        match container {
            Some(container) if path.contains("events?") => watch(container)?,
            Some(container) if path.contains("/json") => answer("200 OK", &container.inspect().to_string())?,
            _ => answer("404 Not Found", &json!({ "message": format!("no such thing: {path}") }).to_string())?,
        }
    }
    Ok(())
}

fn answer(status: &str, body: &str) -> Result<()> {
    send(&format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// The events of one container: its end, once it comes.
fn watch(container: Container) -> Result<()> {
    send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    spawn(move || {
        while runs(container.pid) {
            sleep(LOOK);
        }
        let actor = json!({ "ID": container.id, "Attributes": { "exitCode": container.exit_code.to_string() } });
        let event = json!({ "Type": "container", "Action": "die", "Actor": actor }).to_string() + "\n";
        send(&format!("{:x}\r\n{event}\r\n", event.len()))
    });
    Ok(())
}

fn send(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
