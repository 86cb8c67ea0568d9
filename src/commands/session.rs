//! Logging in to the hosts, and seeing what is there.

use super::{Exit, Run, Stop};
use crate::config::{Address, EnvContent, EnvName, KnownHostsSetting};
use crate::host::Host;
use crate::host::ssh::{ConnectError, Options, Session, Target, bind, unbound};
use crate::parallel;
use crate::release::login::Credentials;
use crate::report::{Level, finding};
use crate::secret::Secret;
use crate::see::judge::findings::{Finding, Weight};
use crate::see::judge::host::HISTORY;
use crate::see::{Observation, observe};
use crate::swap::env_file::Given;
use std::path::{Path, PathBuf};

const KEY: &str = "CUTOVER_SSH_KEY";
const PASSPHRASE: &str = "CUTOVER_SSH_KEY_PASSPHRASE";
const KNOWN_HOSTS: &str = "CUTOVER_KNOWN_HOSTS";
const FINGERPRINT: &str = "CUTOVER_HOST_FINGERPRINT";

/// What is on a host, where that could be made out, and what was found about it.
pub(super) type Seen = (Option<Observation>, Vec<Finding>);

impl Run {
    /// Logs in to every host. All failures are said together.
    pub(crate) async fn connect(&self) -> Result<Vec<Host>, Stop> {
        self.connect_to(&[]).await
    }

    /// Logs in to the hosts of these names, to all where there is none.
    pub(super) async fn connect_to(&self, names: &[String]) -> Result<Vec<Host>, Stop> {
        let (hosts, failures) = self.connect_where_possible(names).await?;
        if failures.is_empty() { Ok(hosts) } else { Err(Stop::new(Exit::Connection, failures.join("\n"))) }
    }

    /// The same, for who only looks: the hosts that let this run in, and why the others do not.
    pub(super) async fn connect_where_possible(&self, names: &[String]) -> Result<(Vec<Host>, Vec<String>), Stop> {
        let all: Vec<&str> = self.config.hosts.iter().map(|host| host.label()).collect();
        if let Some(unknown) = names.iter().find(|name| !all.contains(&name.as_str())) {
            let message = format!("--host {unknown}: cutover.yml has no such host; it has {}", all.join(", "));
            return Err(Stop::new(Exit::Usage, message));
        }
        let (options, headers) = (self.ssh_options()?, self.probe_headers()?);
        let wanted = |label: &str| names.is_empty() || names.iter().any(|name| name == label);
        let each = self.config.hosts.iter().filter(|host| wanted(host.label())).map(|host| {
            let (target, options) = (target(&host.address), &options);
            async move { (host.label().to_owned(), Session::connect(&target, options).await) }
        });
        let (mut hosts, mut failures) = (Vec::new(), Vec::new());
        for (name, session) in parallel::all(self.config.parallel, each).await {
            match session {
                Ok(session) => {
                    hosts.push(Host::new(name, session, self.reporter.clone()).with_headers(headers.clone()));
                }
                Err(error) => {
                    let why = format!("{name}: {}", self.why(&error));
                    failures.extend((!failures.contains(&why)).then_some(why));
                }
            }
        }
        Ok((hosts, failures))
    }

    /// Why there is no connection; in a job an input that is empty comes first.
    fn why(&self, error: &ConnectError) -> String {
        let github = variable("GITHUB_ACTIONS").is_some();
        if !github && variable("CI").is_none() {
            return error.to_string();
        }
        let input = |name: &str| if github { format!("the input `{name}`") } else { "the variable".to_owned() };
        match innermost(error) {
            ConnectError::NoKey { .. } => format!("{} ({KEY}) is empty; is the secret set?", input("ssh-key")),
            ConnectError::HostKeyUnknown(_)
                if self.config.ssh.known_hosts.is_none()
                    && self.config.ssh.fingerprints.is_empty()
                    && variable(KNOWN_HOSTS).or_else(|| variable(FINGERPRINT)).is_none() =>
            {
                format!("{error}\n{} ({KNOWN_HOSTS}) is empty; is the secret set?", input("known-hosts"))
            }
            _ => error.to_string(),
        }
    }

    /// Logs in once more to the host of this name, trying for a minute where it can't be reached.
    pub(super) async fn connect_again(&self, name: &str) -> Result<Host, Stop> {
        let options = self.ssh_options()?;
        let host = self.config.hosts.iter().find(|host| host.label() == name);
        let host = host.ok_or_else(|| Stop::new(Exit::Unexpected, format!("{name} is not configured")))?;
        let mut session = Session::connect(&target(&host.address), &options).await;
        if matches!(session, Err(ConnectError::Unreachable { .. })) && self.cancel.raised().is_none() {
            session = Session::connect(&target(&host.address), &options).await;
        }
        let session = session.map_err(|error| Stop::new(Exit::Stuck, format!("{name}: {error}")))?;
        Ok(Host::new(name, session, self.reporter.clone()).with_headers(self.probe_headers()?))
    }

    /// The headers that requests through nginx bring along: `Name: value` lines of a variable.
    fn probe_headers(&self) -> Result<Vec<(String, Secret)>, Stop> {
        let Some(name) = &self.config.nginx.probe.headers_env else { return Ok(Vec::new()) };
        let Some(text) = self.secret(Some(name), name.as_str())? else { return Ok(Vec::new()) };
        let lines = text.expose().lines().map(str::trim).filter(|line| !line.is_empty());
        let header = |line: &str| {
            let (header, value) = line.split_once(':').map(|(header, value)| (header.trim(), value.trim()))?;
            let token = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            let good = !header.is_empty() && header.chars().all(token) && !value.chars().any(char::is_control);
            good.then(|| (header.to_owned(), Secret::new(value)))
        };
        let headers: Option<Vec<_>> = lines.map(header).collect();
        let wrong =
            || Stop::new(Exit::Usage, format!("{name}: expected a header in each line, as in `X-Probe: value`"));
        let headers = headers.ok_or_else(wrong)?;
        headers.iter().for_each(|(_, value)| self.reporter.hide(value));
        Ok(headers)
    }

    /// A secret of the environment. From now on no report shows it.
    pub(crate) fn secret(&self, stated: Option<&EnvName>, usual: &str) -> Result<Option<Secret>, Stop> {
        let name = stated.map_or(usual, EnvName::as_str);
        match std::env::var(name) {
            Ok(text) if !text.is_empty() => {
                let secret = Secret::new(text);
                self.reporter.hide(&secret);
                Ok(Some(secret))
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Stop::new(Exit::Usage, format!("the environment variable {name} is not UTF-8")))
            }
            _ if stated.is_some() => {
                let what = format!("cutover.yml says that {name} holds a secret, but it is not set or empty");
                Err(Stop::new(Exit::Usage, what))
            }
            _ => Ok(None),
        }
    }

    /// What the env file gets from the environment. A rollback needs nothing, but what is there is hidden.
    pub(super) fn env_given(&self, rollback: bool) -> Result<Given, Stop> {
        let Some(file) = &self.config.env_file else { return Ok(Given::Nothing) };
        let secret = |name: &EnvName| self.secret(Some(name).filter(|_| !rollback), name.as_str());
        match &file.content {
            EnvContent::Whole(name) => {
                let content = secret(name)?;
                content.iter().for_each(|content| self.reporter.hide_values(content));
                Ok(content.map_or(Given::Nothing, Given::Whole))
            }
            EnvContent::Values(pairs) => {
                let value = |(key, name): &(EnvName, EnvName)| Ok(secret(name)?.map(|value| (key.to_string(), value)));
                let values: Result<Vec<_>, Stop> = pairs.iter().filter_map(|pair| value(pair).transpose()).collect();
                Ok(Given::Values(values?))
            }
        }
    }

    /// The registry's login, where one is given.
    pub(crate) fn credentials(&self) -> Result<Option<Credentials>, Stop> {
        let image = &self.config.services[0].image;
        let found = Credentials::find(self.config.registry.as_ref(), image, |name| std::env::var(name).ok());
        let found = found.map_err(|message| Stop::new(Exit::Usage, message))?;
        if let Some(credentials) = &found {
            self.reporter.hide(&credentials.password);
        }
        Ok(found)
    }

    fn ssh_options(&self) -> Result<Options, Stop> {
        let ssh = &self.config.ssh;
        let key = self.secret(ssh.key_env.as_ref(), KEY)?;
        let known_hosts = match &ssh.known_hosts {
            Some(KnownHostsSetting::Text(text)) => Some(text.clone()),
            Some(KnownHostsSetting::File(path)) => {
                let read = std::fs::read(home(path)).map_err(|error| error.to_string());
                let text = read.and_then(|bytes| crate::text::of_file(bytes).map_err(str::to_owned));
                Some(text.map_err(|error| {
                    Stop::new(Exit::Usage, format!("known-hosts: {} can't be read: {error}", path.display()))
                })?)
            }
            None => variable(KNOWN_HOSTS),
        };
        let mut fingerprints = ssh.fingerprints.clone();
        if fingerprints.is_empty() && known_hosts.is_none() {
            fingerprints
                .extend(variable(FINGERPRINT).iter().flat_map(|text| text.split_whitespace()).map(str::to_owned));
        }
        if let Some(print) = unbound(&fingerprints).filter(|_| self.config.hosts.len() > 1) {
            return Err(Stop::new(Exit::Usage, bind(print)));
        }
        fingerprints.iter_mut().for_each(|stated| self.by_address(stated));
        let alone = key.is_some() || ssh.key_file.is_some();
        let mut options = Options {
            known_hosts,
            fingerprints,
            key,
            key_files: ssh.key_file.iter().map(|path| home(path)).collect(),
            passphrase: self.secret(ssh.passphrase_env.as_ref(), PASSPHRASE)?,
            jump: ssh.jump.iter().map(target).collect(),
            agent: !alone,
            config_file: ssh
                .config_file
                .as_deref()
                .map(home)
                .or_else(|| (!alone).then(|| home(Path::new("~/.ssh/config")))),
            ..Options::default()
        };
        options.connect_timeout = ssh.connect_timeout.unwrap_or(options.connect_timeout);
        options.ask_host_key = super::ask::host_key();
        Ok(options)
    }

    /// A fingerprint that names a host by its alias names it by its address.
    fn by_address(&self, stated: &mut String) {
        let Some((name, print)) = stated.split_once('=') else { return };
        let aliased = self.config.hosts.iter().find(|host| host.alias.is_some() && host.label() == name);
        if let Some(host) = aliased {
            let address = Address { user: None, ..host.address.clone() };
            *stated = format!("{address}={print}");
        }
    }

    /// Observes every host at once. Refusals of all hosts are said together; advice is reported on the way.
    pub(crate) async fn observe(&self, hosts: &[Host], wanted: &[String]) -> Result<Vec<Observation>, Stop> {
        self.judge(hosts, self.look(hosts, wanted).await?)
    }

    /// Says what was found: advice that several hosts need only once.
    pub(super) fn judge(&self, hosts: &[Host], seen: Vec<Seen>) -> Result<Vec<Observation>, Stop> {
        let (mut all, mut refusals, mut advice) = (Vec::new(), Vec::new(), Vec::<(String, Vec<&str>)>::new());
        for (host, (seen, findings)) in hosts.iter().zip(seen) {
            for found in &findings {
                match found.weight {
                    Weight::Refusal => refusals.push(format!("{}: {}", host.name, finding(found))),
                    Weight::Advice => match advice.iter_mut().find(|(known, _)| *known == finding(found)) {
                        Some((_, hosts)) => hosts.push(&host.name),
                        None => advice.push((finding(found), vec![&host.name])),
                    },
                }
            }
            all.extend(seen);
        }
        for (text, hosts) in advice {
            self.reporter.note(Level::Warning, &hosts.join(", "), text);
        }
        if refusals.is_empty() && all.len() == hosts.len() {
            return Ok(all);
        }
        let message = format!("refused, and nothing was changed:\n  {}", refusals.join("\n  "));
        Err(Stop::new(Exit::Refused, message))
    }

    /// What is on every host, and what was found about it.
    pub(crate) async fn look(&self, hosts: &[Host], wanted: &[String]) -> Result<Vec<Seen>, Stop> {
        let each = hosts.iter().map(|host| observe(host, &self.config, wanted));
        let seen = parallel::all(self.config.parallel, each).await;
        let seen: anyhow::Result<Vec<_>> = seen.into_iter().collect();
        Ok(seen?.into_iter().map(|(seen, findings)| (seen, findings.0)).collect())
    }
}

/// Says what of a host's history can't be read, where only parts of what was found are shown.
pub(super) fn say_of_history(run: &Run, host: &Host, findings: &[Finding]) {
    for found in findings.iter().filter(|found| found.about == HISTORY) {
        run.reporter.note(Level::Warning, &host.name, finding(found));
    }
}

/// What a jump host's failure comes down to.
fn innermost(error: &ConnectError) -> &ConnectError {
    match error {
        ConnectError::Jump { cause, .. } => innermost(cause),
        error => error,
    }
}

pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.trim().is_empty())
}

fn target(address: &Address) -> Target {
    Target { user: address.user.clone(), host: address.name.clone(), port: address.port }
}

/// `~/` is the home directory.
fn home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path.to_path_buf(),
    }
}
