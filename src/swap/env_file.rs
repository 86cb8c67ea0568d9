//! The env file: secrets from here on the host, where compose reads them back byte for byte.

use super::execute::HostSwap;
use super::survey::Compose;
use crate::host::script::Script;
use crate::secret::Secret;
use anyhow::Result;

/// Between these lines are the values from here. They come last in the file, since the last value of a key counts.
const BEGIN: &str = "# cutover: values from here on are written at each release";
const END: &str = "# cutover: end of values";

/// What the env file gets.
#[derive(Debug, Clone, Default)]
pub enum Given {
    /// Nothing from here: a rollback takes what the version had.
    #[default]
    Nothing,
    /// The whole content.
    Whole(Secret),
    /// Keys and their values; the rest of the file stays.
    Values(Vec<(String, Secret)>),
}

impl HostSwap<'_> {
    /// Writes the env file; its content travels on stdin and is nowhere shown.
    pub(super) async fn env_file(&mut self) -> Result<String> {
        let Some(file) = &self.plan.env_file else { return Ok(String::new()) };
        let (mode, content) = match &self.env_given {
            _ if self.plan.rollback => ("kept", String::new()),
            Given::Nothing => ("kept", String::new()),
            Given::Whole(content) => ("whole", content.expose().to_owned()),
            Given::Values(values) => ("values", block(values, self.plan.compose)),
        };
        let live = self.plan.services.iter().find_map(|service| service.from.as_ref()?.version.clone());
        let script = self
            .script(
                "to write the env file",
                concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/env-file.sh")),
            )
            .args([file, &self.plan.version, mode])
            .arg(live.unwrap_or_default())
            .args([BEGIN, END])
            .stdin(self.journal_line()? + &content);
        self.host.run(&script).await?;
        Ok(file.clone())
    }

    /// Undoes it.
    pub(super) fn unenv_file(&self) -> Option<Script> {
        let text = concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/unenv-file.sh"));
        let file = self.plan.env_file.as_ref()?;
        Some(self.script("to put the env file back", text).arg(file))
    }
}

fn block(values: &[(String, Secret)], compose: Compose) -> String {
    let lines = values.iter().map(|(key, value)| format!("{key}={}\n", quoted(value.expose(), compose)));
    format!("{BEGIN}\n{}{END}\n", lines.collect::<String>())
}

/// A value as both composes read it: in single quotes nothing means anything, but they disagree on `\` and `'` there.
///
/// In double quotes compose v2 reads `\$` as `$` (compose-go, dotenv/parser.go); 1.29 knows no escape for it and
/// replaces `${…}` anywhere, even in single quotes, with a default if one is given (python-dotenv, variables.py). Nor can a
/// text end with a backslash there.
fn quoted(value: &str, compose: Compose) -> String {
    let plain = !value.contains(['\\', '\'', '\r']) && !value.contains("${") && !value.contains(END);
    if plain {
        return format!("'{value}'");
    }
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
    match compose {
        Compose::V1 => {
            let end = if value.ends_with('\\') { "${:-}" } else { "" };
            format!("\"{}{end}\"", value.replace("${", "${:-$}{"))
        }
        Compose::V2 => format!("\"{}\"", value.replace('$', "\\$")),
    }
}
