//! A host as people write it, `USER@HOST[:PORT]`, for the commands that they are shown.

/// Its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// `USER@HOST`, or what was given without its port.
    pub(super) login: String,
    /// The user, where one was given.
    pub(super) user: Option<String>,
    /// The host alone.
    pub(super) name: String,
    /// The port, where it is not 22.
    pub(super) port: Option<String>,
}

impl Place {
    pub(super) fn of(host: &str) -> Place {
        let (login, port) = match host.rsplit_once(':') {
            Some((login, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (login, Some(port)),
            _ => (host, None),
        };
        let (user, name) = login.split_once('@').map_or((None, login), |(user, name)| (Some(user), name));
        Place {
            login: login.to_owned(),
            user: user.map(str::to_owned),
            name: name.trim_matches(['[', ']']).to_owned(),
            port: port.filter(|port| *port != "22").map(str::to_owned),
        }
    }

    /// `ssh` or `scp` with the port; their flags for it differ.
    pub(super) fn command(&self, program: &str) -> String {
        let flag = if program == "scp" { "-P" } else { "-p" };
        self.port.as_ref().map_or(program.to_owned(), |port| format!("{program} {flag} {port}"))
    }

    /// As `known_hosts` names it.
    pub(super) fn known(&self) -> String {
        self.port.as_ref().map_or(self.name.clone(), |port| format!("[{}]:{port}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_its_parts() {
        let place = Place::of("deploy@203.0.113.10:2222");
        assert_eq!(
            (&*place.login, place.user.as_deref(), &*place.name),
            ("deploy@203.0.113.10", Some("deploy"), "203.0.113.10")
        );
        assert_eq!((&*place.command("scp"), &*place.command("ssh")), ("scp -P 2222", "ssh -p 2222"));
        assert_eq!(place.known(), "[203.0.113.10]:2222");
        let plain = Place::of("web-1");
        assert_eq!((plain.user.as_deref(), &*plain.command("ssh"), &*plain.known()), (None, "ssh", "web-1"));
        assert_eq!(Place::of("a@b:22"), Place::of("a@b"));
    }
}
