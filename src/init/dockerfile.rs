//! What a Dockerfile says of its service: the port, and what stands in the way of a release that loses nothing.

/// The port of `EXPOSE`, the last one that is said.
pub fn port(text: &str) -> Option<u16> {
    let exposed = instructions(text).into_iter().filter(|(name, _)| name == "EXPOSE");
    exposed.filter_map(|(_, rest)| rest.split(['/', ' ']).next()?.parse().ok()).next_back()
}

/// What a person should change. Empty where it is well, or can't be seen.
pub fn hints(text: &str) -> Vec<String> {
    let all = instructions(text);
    let last = |name: &str| all.iter().rev().find(|(each, _)| each == name).map(|(_, rest)| rest.as_str());
    let Some((name, start)) = ["ENTRYPOINT", "CMD"].into_iter().find_map(|name| Some((name, last(name)?))) else {
        return Vec::new();
    };
    let mut hints = Vec::new();
    if !start.starts_with('[') && !start.starts_with("exec ") {
        hints.push(format!(
            "Dockerfile: `{name} {start}` is run by a shell, which keeps SIGTERM to itself: requests would be cut off when the \
             slot stops. Write it as a list: {name} [{}]",
            start.split_whitespace().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
        ));
    }
    let runner = ["npm", "yarn", "pnpm"].into_iter().find(|runner| {
        let first = start.trim_start_matches(['[', '"', ' ']);
        first.strip_prefix(runner).is_some_and(|rest| rest.starts_with(['"', ' ', ',']))
    });
    if let Some(runner) = runner {
        hints.push(format!(
            "Dockerfile: {runner} does not pass SIGTERM on in time; start the program itself, as in CMD [\"node\", \"server.js\"]"
        ));
    }
    hints
}

/// Name and rest of each instruction of the last stage; continued lines are one.
fn instructions(text: &str) -> Vec<(String, String)> {
    let text = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let all: Vec<_> = lines
        .filter_map(|line| line.split_once(char::is_whitespace))
        .map(|(name, rest)| (name.to_ascii_uppercase(), rest.trim().to_owned()))
        .collect();
    let stage = all.iter().rposition(|(name, _)| name == "FROM").unwrap_or(0);
    all[stage..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_that_of_the_last_stage() {
        assert_eq!(port("FROM a\nEXPOSE 1\nFROM b\nexpose 3000/tcp\n"), Some(3000));
        assert_eq!(port("FROM a\nEXPOSE 1\nFROM b\n"), None);
        assert_eq!(port("FROM a\nEXPOSE $PORT\n"), None);
    }

    #[test]
    fn what_keeps_sigterm_to_itself_is_said() {
        assert_eq!(hints("FROM a\nCMD [\"node\", \"server.js\"]\n"), Vec::<String>::new());
        assert_eq!(hints("FROM a\nCMD exec node server.js\n"), Vec::<String>::new());
        let shell = hints("FROM a\nCMD node \\\n  server.js\n");
        assert!(shell[0].ends_with("CMD [\"node\", \"server.js\"]"), "{shell:?}");
        let npm = hints("FROM a\nCMD [\"npm\", \"start\"]\n");
        assert!(npm.len() == 1 && npm[0].contains("npm does not pass SIGTERM"), "{npm:?}");
        assert_eq!(hints("FROM a\nENTRYPOINT [\"./run\"]\nCMD serve\n"), Vec::<String>::new(), "its words, no command");
        assert_eq!(hints("FROM scratch\n"), Vec::<String>::new(), "of the image below it");
    }
}
