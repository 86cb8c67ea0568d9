//! What is live, as a second file of the stack: with it `docker stack deploy` by hand leaves a release as it is.

use super::edge::fenced;
use super::see::Seen;
use crate::host::script::Fence;
use anyhow::Result;
use futures_util::future::try_join_all;

/// Its name, beside the stack file.
pub(crate) const NAME: &str = "cutover.stack.yml";
/// What a stack file is called where nobody says so.
const USUAL: [&str; 6] =
    ["docker-stack.yml", "stack.yml", "docker-compose.yml", "compose.yml", "docker-compose.yaml", "compose.yaml"];

/// The slots as they shall be: called so, of this image, with so many tasks.
fn text(slots: &[(&str, &str, u64)]) -> String {
    let mut text =
        "# What is live, by cutover: docker stack deploy -c YOUR-STACK-FILE -c cutover.stack.yml STACK\nservices:\n"
            .to_owned();
    for (called, image, replicas) in slots {
        let image = serde_json::to_string(image).unwrap_or_default();
        text += &format!("  {called}:\n    image: {image}\n    deploy:\n      replicas: {replicas}\n");
    }
    text
}

/// Writes it on every manager. `files` are the stack's own: the new one has their `version`, since docker takes no two.
pub(crate) async fn write(seen: &Seen<'_>, directory: &str, files: &[String], fence: &Fence) -> Result<()> {
    let mut slots = Vec::new();
    for slot in &seen.slots {
        let now = seen.api.service(&slot.service.id).await?;
        slots.push((slot.called.clone(), now.image().to_owned(), now.replicas().unwrap_or(0)));
    }
    let slots: Vec<(&str, &str, u64)> =
        slots.iter().map(|(called, image, replicas)| (called.as_str(), image.as_str(), *replicas)).collect();
    let text = text(&slots);
    let usual: Vec<String> = USUAL.map(str::to_owned).to_vec();
    let files = if files.is_empty() { &usual } else { files };
    let managers = seen.api.members.iter().filter(|member| member.is_manager);
    let each = managers.map(|member| {
        let script = fenced("to write what is live beside the stack file", include_str!("stack_file.sh"), fence)
            .set("directory", directory)
            .set("name", NAME)
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
    fn it_has_images_and_numbers_and_nothing_else() {
        let text = text(&[("blue", "r:5000/a:v1@sha256:1", 0), ("green", "a", 3)]);
        let expected = "services:\n  blue:\n    image: \"r:5000/a:v1@sha256:1\"\n    deploy:\n      replicas: 0\n  green:\n    image: \"a\"\n    deploy:\n      replicas: 3\n";
        assert_eq!(text.split_once('\n').map(|(_, rest)| rest), Some(expected));
    }
}
