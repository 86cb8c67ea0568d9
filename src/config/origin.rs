//! Where a value of the configuration comes from.

use super::yaml::{Value, YamlNode};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// This line of the file.
    File(usize),
    /// This variable of the environment.
    Variable(String),
    /// An option of the command line.
    Flag(&'static str),
    /// Nobody said anything else.
    Default,
    /// It is found out on the hosts.
    Found,
    /// It was found out on these hosts.
    Host(String),
}

/// Keys whose value may stand in place of a map that has nothing else: the key, and what its text is.
const SHORT: [(&str, &str); 12] = [
    ("build", "context"),
    ("health", "path"),
    ("probe", "path"),
    ("nginx", "host"),
    ("registry", "server"),
    ("bake", "for"),
    ("before-switch", "command"),
    ("after-switch", "command"),
    ("before-build", "command"),
    ("before-release", "command"),
    ("after-release", "command"),
    ("on-failure", "command"),
];

/// The file as it stands, with the environment that lies over it.
pub(super) struct Places<'a> {
    file: &'a YamlNode,
    environment: Option<&'a str>,
}

impl<'a> Places<'a> {
    pub(super) fn of(file: &'a YamlNode, environment: Option<&'a str>) -> Self {
        Places { file, environment }
    }

    /// The line of the first of these paths (keys with dots between them) that the file states: the environment's come
    /// before the others.
    pub(super) fn line(&self, paths: &[&str]) -> Option<usize> {
        self.first(paths).map(|(_, line)| line)
    }

    /// The same, with the path.
    pub(super) fn first<'p>(&self, paths: &[&'p str]) -> Option<(&'p str, usize)> {
        let over = self.environment.and_then(|name| at(at(self.file, "environments")?, name));
        let each = over.into_iter().chain([self.file]);
        each.flat_map(|root| paths.iter().filter_map(move |path| Some((*path, line(root, path)?)))).next()
    }
}

/// What stands below a key.
fn at<'a>(node: &'a YamlNode, key: &str) -> Option<&'a YamlNode> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|(known, _)| known.text == key).map(|(_, node)| node),
        _ => None,
    }
}

fn line(root: &YamlNode, path: &str) -> Option<usize> {
    let (mut node, mut keys) = (root, path.split('.').peekable());
    while let Some(key) = keys.next() {
        let Value::Map(entries) = &node.value else { return None };
        let (place, below) = entries.iter().find(|(known, _)| known.text == key)?;
        node = below;
        match keys.peek() {
            None => return Some(place.at.line),
            Some(next) if !matches!(node.value, Value::Map(_)) => {
                return SHORT.contains(&(key, *next)).then_some(place.at.line);
            }
            Some(_) => {}
        }
    }
    None
}
