//! What sudo lets a login do without asking for a password, as `sudo -l` lists it (sudoers(5)).

/// The commands that are listed, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sudo(Vec<Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// As root, and without a password; false: not so.
    allows: bool,
    /// The program, or `ALL`.
    program: String,
    /// Its words with spaces between; `None`: any.
    words: Option<String>,
}

impl Sudo {
    /// Reads what `sudo -n -l` printed.
    pub fn listed(text: &str) -> Sudo {
        let Some((defaults, list)) = text.split_once("may run the following commands") else { return Sudo::default() };
        let asks = !defaults.contains("!authenticate");
        let list = list.split_once('\n').map_or("", |(_, list)| list);
        // an entry begins with whom it is for; where a line was too long, it goes on in the next one
        let mut entries: Vec<String> = Vec::new();
        for line in list.lines().map(str::trim) {
            match entries.last_mut() {
                Some(last) if !line.starts_with('(') => last.push_str(&format!(" {line}")),
                _ => entries.push(line.to_owned()),
            }
        }
        Sudo(entries.iter().flat_map(|entry| rules(entry, asks)).collect())
    }

    /// Whether this command may be run as root and no password is asked for: the last rule that it matches says so.
    pub fn allows(&self, command: &str) -> bool {
        let (program, words) = command.split_once(' ').unwrap_or((command, ""));
        let matches = |rule: &&Rule| {
            let own = rule.program == "ALL" || is_like(own_path(&rule.program), own_path(program));
            own && rule.words.as_ref().is_none_or(|known| is_like(known, words))
        };
        self.0.iter().rev().find(matches).is_some_and(|rule| rule.allows)
    }
}

/// `(root) NOPASSWD: /usr/sbin/nginx -t, /usr/sbin/nginx -T`
fn rules(entry: &str, mut asks: bool) -> Vec<Rule> {
    let Some((whom, commands)) = entry.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
        return Vec::new();
    };
    let users = whom.split(':').next().unwrap_or_default();
    let as_root = users.split(',').any(|user| matches!(user.trim(), "root" | "ALL"));
    let mut all = Vec::new();
    for mut command in split(commands) {
        while let Some((tag, rest)) = command.split_once(':').filter(|(tag, _)| is_tag(tag)) {
            asks = if tag == "NOPASSWD" { false } else { asks || tag == "PASSWD" };
            command = rest.trim().to_owned();
        }
        let (denied, command) = command.strip_prefix('!').map_or((false, command.as_str()), |rest| (true, rest));
        let (program, words) =
            command.split_once(' ').map_or((command, None), |(program, words)| (program, Some(words)));
        let words = words.map(|words| if words == "\"\"" { "" } else { words });
        let allows = as_root && !asks && !denied;
        all.push(Rule { allows, program: program.to_owned(), words: words.map(str::to_owned) });
    }
    all
}

fn is_tag(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// At commas, where no backslash stands before them; those that sudoers wants are gone then.
fn split(commands: &str) -> Vec<String> {
    let (mut all, mut last, mut bytes) = (Vec::new(), String::new(), commands.chars());
    while let Some(c) = bytes.next() {
        match c {
            ',' => all.push(std::mem::take(&mut last)),
            '\\' => last.extend(bytes.next()),
            c => last.push(c),
        }
    }
    all.push(last);
    all.into_iter().map(|command| command.trim().to_owned()).filter(|command| !command.is_empty()).collect()
}

/// `/bin` is a link to `/usr/bin` nowadays, and sudo goes by the file.
fn own_path(path: &str) -> &str {
    path.strip_prefix("/usr").filter(|rest| rest.starts_with("/bin/") || rest.starts_with("/sbin/")).unwrap_or(path)
}

/// Whether a pattern with `*` for any text takes one.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in between.split('*') {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &str) -> Sudo {
        Sudo::listed(&format!(
            "Matching Defaults entries for deploy on web:\n    env_reset, use_pty\n\nUser deploy may run the following commands on web:\n{entries}"
        ))
    }

    #[test]
    fn only_what_is_listed_and_asks_for_no_password_is_allowed() {
        let sudo = list(
            "    (ALL : ALL) ALL\n    (root) NOPASSWD: /usr/sbin/nginx -t, /usr/sbin/nginx -T,\n        /usr/bin/tee /etc/a\\,b\n",
        );
        for (command, is) in [
            ("/usr/sbin/nginx -t", true),
            ("/sbin/nginx -T", true),
            ("/usr/bin/tee /etc/a,b", true),
            ("/usr/sbin/nginx -s reload", false),
            ("/usr/sbin/nginx", false),
            ("/usr/bin/tee /etc/a", false),
            ("/usr/local/sbin/nginx -t", false),
        ] {
            assert_eq!(sudo.allows(command), is, "{command}");
        }
        assert!(!Sudo::listed("").allows("/usr/sbin/nginx -t"));
    }

    #[test]
    fn rules_are_read_as_sudo_reads_them() {
        let asked = "/usr/sbin/nginx -s reload";
        for (entries, is) in [
            ("(ALL) NOPASSWD: ALL", true),
            ("(ALL) ALL", false),
            ("(www-data) NOPASSWD: ALL", false),
            ("(deploy, root) NOPASSWD: /usr/sbin/nginx", true),
            ("(root) NOPASSWD: /usr/sbin/nginx \"\"", false),
            ("(root) NOPASSWD: /usr/sbin/nginx *", true),
            ("(root) NOPASSWD: /usr/sbin/*", true),
            ("(root) NOPASSWD: /bin/ls, PASSWD: /usr/sbin/nginx", false),
            ("(root) NOPASSWD: SETENV: /usr/sbin/nginx -s *", true),
            ("(ALL) NOPASSWD: ALL, !/usr/sbin/nginx", false),
            ("(root) NOPASSWD: !/usr/sbin/nginx, ALL", true),
        ] {
            assert_eq!(list(&format!("    {entries}\n")).allows(asked), is, "{entries}");
        }
        let open = "Matching Defaults entries for a on b:\n    !authenticate\n\nUser a may run the following commands on b:\n    (ALL) ALL\n";
        assert!(Sudo::listed(open).allows(asked));
    }
}
