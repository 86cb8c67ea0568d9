//! Options and ssh_config, resolved: which hosts to go through, as whom, and what is known of their keys.
use std::path::{Path, PathBuf};

use super::Options;
use super::auth::{KeyFile, Sources};
use super::config_file::{self, HostBlock};
use super::error::ConnectError;
use super::stated::{StatedPrint, bind, unbound};
use super::target::{Target, place};
use super::trust::{KnownHosts, Trust};
use crate::report::text::one_line;

/// One host to log in to.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    /// The name for messages.
    pub(super) host: String,
    /// What to connect to.
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) trust: Trust,
    config: HostBlock,
}

impl Hop {
    pub(super) fn place(&self) -> String {
        place(&self.host, self.port)
    }

    /// The same host, trusted by this.
    pub(super) fn trusting(&self, trust: Trust) -> Hop {
        Hop { trust, ..self.clone() }
    }

    /// The keys for this host.
    pub(super) fn sources<'a>(&self, options: &'a Options) -> Sources<'a> {
        let file = |stated| move |path: &PathBuf| KeyFile { path: path.clone(), stated };
        let mut files: Vec<KeyFile> = options.key_files.iter().map(file(true)).collect();
        files.extend(self.config.identity_files.iter().map(file(false)));
        if files.is_empty() && options.config_file.is_some() {
            let usual = ["id_ed25519", "id_ecdsa", "id_rsa"].map(|name| home().join(".ssh").join(name));
            files.extend(usual.iter().map(file(false)));
        }
        Sources {
            key: options.key.as_ref(),
            files,
            passphrase: options.passphrase.as_ref(),
            agent: options.agent,
            only_files: self.config.identities_only,
        }
    }
}

/// The hosts to log in to one after the other, the target last.
pub(super) fn route(target: &Target, options: &Options) -> Result<Vec<Hop>, ConnectError> {
    let text = config_text(options.config_file.as_deref())?;
    let last = hop(target, options, &text)?;
    let jumps = match last.config.proxy_jump.as_deref() {
        Some(chain) if options.jump.is_empty() => parse_chain(chain)?,
        _ => options.jump.clone(),
    };
    if jumps.is_empty() && !last.config.not_followed.is_empty() {
        let problem = format!(
            "{}: ssh_config asks for {}, which cutover does not run; use ProxyJump",
            last.place(),
            last.config.not_followed.join(", ")
        );
        return Err(ConnectError::Setting { problem });
    }
    if let Some(print) = unbound(&options.fingerprints).filter(|_| !jumps.is_empty()) {
        return Err(ConnectError::Setting { problem: bind(print) });
    }
    let mut hops = jumps.iter().map(|jump| hop(jump, options, &text)).collect::<Result<Vec<_>, _>>()?;
    hops.push(last);
    Ok(hops)
}

fn config_text(path: Option<&Path>) -> Result<String, ConnectError> {
    let Some(path) = path else { return Ok(String::new()) };
    read(path)
}

/// The file's text; empty if there is none.
fn read(path: &Path) -> Result<String, ConnectError> {
    match std::fs::read(path) {
        Ok(bytes) => {
            Ok(crate::text::of_file(bytes.clone()).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned()))
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(cause) => Err(ConnectError::Setting { problem: format!("{}: {cause}", path.display()) }),
    }
}

fn parse_chain(chain: &str) -> Result<Vec<Target>, ConnectError> {
    if chain.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let parse = |part: &str| {
        part.parse().map_err(|cause| ConnectError::Setting { problem: format!("ProxyJump in ssh_config: {cause}") })
    };
    chain.split(',').map(parse).collect()
}

fn hop(target: &Target, options: &Options, text: &str) -> Result<Hop, ConnectError> {
    let config = config_file::lookup(text, &target.host, &home());
    let address = config.host_name.clone().unwrap_or_else(|| target.host.clone());
    let port = target.port.or(config.port).unwrap_or(22);
    let user = target.user.clone().or_else(|| config.user.clone()).or_else(local_user);
    let user = user.ok_or_else(|| ConnectError::Setting {
        problem: format!("{}: no user; state `user@host`", one_line(&target.to_string(), 200)),
    })?;
    let name = config.host_key_alias.clone().unwrap_or_else(|| address.clone());
    let names = [&*target.host, &*address, &*name];
    let trust = trust(&names, port, options, &config)?;
    Ok(Hop { host: target.host.clone(), address, port, user, trust, config })
}

/// What is known of the host that has these names; the last is the one that known_hosts has.
fn trust(names: &[&str; 3], port: u16, options: &Options, config: &HostBlock) -> Result<Trust, ConnectError> {
    let stated = options.fingerprints.iter().map(|text| StatedPrint::read(text)).collect::<Result<Vec<_>, _>>()?;
    let (own, others): (Vec<_>, Vec<_>) = stated.into_iter().partition(|stated| stated.is_for(names, port));
    let host = names[2].to_owned();
    let known = match &options.known_hosts {
        Some(text) => vec![KnownHosts { source: "known_hosts".into(), text: text.clone() }],
        None => known_hosts_files(config)?,
    };
    let known_only_revokes = options.known_hosts.is_none() && !options.fingerprints.is_empty();
    let fingerprints = own.into_iter().map(|stated| stated.print).collect();
    let stated_for = others.iter().filter_map(StatedPrint::place).collect();
    Ok(Trust { host, port, known, known_only_revokes, fingerprints, stated_for })
}

fn known_hosts_files(config: &HostBlock) -> Result<Vec<KnownHosts>, ConnectError> {
    let mut paths = config.known_hosts_files.clone();
    if paths.is_empty() {
        paths.push(home().join(".ssh/known_hosts"));
    }
    paths.push("/etc/ssh/ssh_known_hosts".into());
    paths.iter().map(|path| Ok(KnownHosts { source: path.display().to_string(), text: read(path)? })).collect()
}

fn home() -> PathBuf {
    std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"))
}

fn local_user() -> Option<String> {
    ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
}
