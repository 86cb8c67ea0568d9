//! What is live, as a second file of the stack: with it `docker stack deploy` by hand leaves a release as it is.

use super::edge::fenced;
use super::objects::VALUES;
use super::see::Seen;
use crate::host::script::Fence;
use crate::secret::Secret;
use anyhow::Result;
use futures_util::future::try_join_all;

/// Its name, beside the stack file.
pub(crate) const NAME: &str = "cutover.stack.yml";
/// What a stack file is called where nobody says so.
const USUAL: [&str; 6] =
    ["docker-stack.yml", "stack.yml", "docker-compose.yml", "compose.yml", "docker-compose.yaml", "compose.yaml"];

/// A slot as it shall be: called so, of this image, with so many tasks, and these variables beside those of the stack file.
struct Slot {
    called: String,
    image: String,
    replicas: u64,
    values: Vec<(String, Secret)>,
}

/// The slots, as docker reads them: it replaces what follows a `$`.
fn text(slots: &[Slot]) -> String {
    let mut text =
        "# What is live, by cutover: docker stack deploy -c YOUR-STACK-FILE -c cutover.stack.yml STACK\nservices:\n"
            .to_owned();
    let quoted = |text: &str| serde_json::to_string(&text.replace('$', "$$")).unwrap_or_default();
    for Slot { called, image, replicas, values } in slots {
        text += &format!("  {called}:\n    image: {}\n    deploy:\n      replicas: {replicas}\n", quoted(image));
        if !values.is_empty() {
            let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
            text += &format!("      labels:\n        {VALUES}: {}\n    environment:\n", quoted(&names.join(" ")));
            let line = |(name, value): &(String, Secret)| format!("      {name}: {}\n", quoted(value.expose()));
            text += &values.iter().map(line).collect::<String>();
        }
    }
    text
}

/// Writes it on every manager. `files` are the stack's own: the new one has their `version`, since docker takes no two.
pub(crate) async fn write(seen: &Seen<'_>, directory: &str, files: &[String], fence: &Fence) -> Result<()> {
    let mut slots = Vec::new();
    for slot in &seen.slots {
        let now = seen.api.service(&slot.service.id).await?;
        slots.push(Slot {
            called: slot.called.clone(),
            image: now.image().to_owned(),
            replicas: now.replicas().unwrap_or(0),
            values: now.values(),
        });
    }
    let text = text(&slots);
    let mode = if slots.iter().all(|slot| slot.values.is_empty()) { "644" } else { "600" };
    let usual: Vec<String> = USUAL.map(str::to_owned).to_vec();
    let files = if files.is_empty() { &usual } else { files };
    let managers = seen.api.members.iter().filter(|member| member.is_manager);
    let each = managers.map(|member| {
        let script = fenced("to write what is live beside the stack file", include_str!("stack_file.sh"), fence)
            .set("directory", directory)
            .set("name", NAME)
            .set("mode", mode)
            .args(files)
            .stdin(text.clone());
        async move { member.host.run(&script).await.map(drop) }
    });
    try_join_all(each).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_images_numbers_and_values_and_nothing_else() {
        let slot = |called: &str, image: &str, replicas: u64, values: &[(&str, &str)]| Slot {
            called: called.to_owned(),
            image: image.to_owned(),
            replicas,
            values: values.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect(),
        };
        let text = text(&[slot("blue", "r:5000/a:v1@sha256:1", 0, &[]), slot("green", "a", 3, &[("P", "a$1\"")])]);
        let expected = "services:\n  blue:\n    image: \"r:5000/a:v1@sha256:1\"\n    deploy:\n      replicas: 0\n  green:\n    image: \"a\"\n    deploy:\n      replicas: 3\n      labels:\n        cutover.values: \"P\"\n    environment:\n      P: \"a$$1\\\"\"\n";
        assert_eq!(text.split_once('\n').map(|(_, rest)| rest), Some(expected));
    }
}
