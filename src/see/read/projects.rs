//! Compose projects beside that of nginx, in which slots are.

use super::survey::{PROJECT, project};
use crate::host::Host;
use crate::host::compose::{self, Project, Scope, Unset};
use crate::host::script::{SAY, Script, sections};
use anyhow::Result;

/// A compose project as its host reads it.
#[derive(Debug)]
pub struct ProjectRead {
    /// As what, and by which files.
    pub scope: Scope,
    /// The project, or compose's complaint.
    pub project: Result<Project, String>,
    /// Variables that compose took as empty.
    pub unset: Vec<Unset>,
}

/// Reads projects; changes nothing.
pub async fn projects(host: &Host, directory: &str, scopes: Vec<Scope>) -> Result<Vec<ProjectRead>> {
    let words = scopes.iter().flat_map(|scope| [scope.files.clone(), scope.project.clone()]);
    let script = Script::new("to read the slots' compose projects", include_str!("projects.sh"));
    let output = host.run(&script.with(&[SAY, PROJECT]).arg(directory).args(words)).await?;
    read(&output, scopes)
}

fn read(output: &[u8], scopes: Vec<Scope>) -> Result<Vec<ProjectRead>> {
    let unread = || Err("compose does not read it".to_owned());
    let place = |scope| ProjectRead { scope, project: unread(), unset: Vec::new() };
    let mut all: Vec<ProjectRead> = scopes.into_iter().map(place).collect();
    let (mut at, mut warned) = (0_usize, String::new());
    for section in sections(output)? {
        let text = section.text;
        let Some(place) = all.get_mut(if section.name == "place" { at } else { at.saturating_sub(1) }) else {
            continue;
        };
        match section.name.as_str() {
            "place" => at += 1,
            "compose-v2" | "compose-v1" => {
                place.project = project(if section.status == 0 { Ok(text) } else { Err(text) });
            }
            "compose-warned" => warned = text,
            "compose-raw" => place.unset = compose::unset(&warned, &text),
            _ => {}
        }
    }
    Ok(all)
}
