//! Logging in: which keys are offered, in which order, and what a refusal means. RFC 4252 section 7, "publickey" only.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, signature};
use russh::{MethodKind, MethodSet};

use super::error::ConnectError;
use super::handler::Client;
use super::keys;
use super::known_hosts::fingerprint;
use super::trips::Trips;
use crate::report::text::one_line;
use crate::secret::Secret;

/// sshd hangs up after six refusals (MaxAuthTries).
const MOST_OFFERS: usize = 5;
const AGENT_ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// A file with a private key.
#[derive(Clone, Debug)]
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    /// Stated by the user: that it cannot be used is an error. Else it is one of the usual places.
    pub(super) stated: bool,
}

/// Where keys may come from.
pub(super) struct Sources<'a> {
    pub(super) key: Option<&'a Secret>,
    pub(super) files: Vec<KeyFile>,
    pub(super) passphrase: Option<&'a Secret>,
    pub(super) agent: bool,
    /// Of the agent, only the identities that `files` name.
    pub(super) only_files: bool,
}

/// One thing to log in with.
#[derive(Clone)]
struct Offer {
    from: String,
    kind: KeyKind,
}

#[derive(Clone)]
enum KeyKind {
    Key(Arc<PrivateKey>),
    Signed(Arc<PrivateKey>, Box<Certificate>),
    Agent(Box<AgentIdentity>),
}

/// What to log in with, in this order.
#[derive(Default)]
pub(super) struct Offers {
    list: Vec<Offer>,
    /// Why there is not more: said if nothing else works.
    missing: Option<ConnectError>,
}

impl Offers {
    /// Reads the keys: the stated text, the files, then what the agent has. Nothing is sent yet.
    pub(super) async fn gather(sources: &Sources<'_>) -> Result<Self, ConnectError> {
        let mut offers = Self::default();
        if let Some(text) = sources.key {
            let key = keys::decode("the private key", text, sources.passphrase)?;
            offers.add_key("the stated key", key, None)?;
        }
        let (mut locked, mut tried) = (Vec::new(), Vec::new());
        for file in &sources.files {
            match offers.add_file(file, sources.passphrase) {
                Err(cause @ ConnectError::Passphrase { wrong: false, .. }) => locked.push((file, cause)),
                Err(cause) if file.stated => return Err(cause),
                Err(_) if !file.path.exists() => tried.push(format!("{}: not there", file.path.display())),
                Err(cause) => tried.push(cause.to_string()),
                Ok(()) => {}
            }
        }
        let before = offers.list.len();
        match if sources.agent { offers.add_agent(sources).await } else { Ok(()) } {
            Err(problem) => tried.push(format!("the ssh-agent: {problem}")),
            Ok(()) if sources.agent && offers.list.len() == before => {
                let of_files = if sources.only_files { " of the configured files" } else { "" };
                tried.push(format!("the ssh-agent: it has no key{of_files}"));
            }
            Ok(()) => {}
        }
        for (file, cause) in locked {
            let held = public_key(&file.path).is_some_and(|key| offers.list.iter().any(|o| o.holds(&key)));
            if !held && file.stated {
                return Err(cause);
            }
            offers.missing = offers.missing.or(Some(cause).filter(|_| !held));
        }
        offers.missing = offers.missing.or(Some(ConnectError::NoKey { tried }));
        Ok(offers)
    }

    fn add_file(&mut self, file: &KeyFile, passphrase: Option<&Secret>) -> Result<(), ConnectError> {
        let source = file.path.display().to_string();
        let read = std::fs::read(&file.path).map_err(|cause| cause.to_string());
        let text = read.and_then(|bytes| crate::text::of_file(bytes).map_err(str::to_owned));
        let text = text.map_err(|cause| ConnectError::KeyFormat {
            source: source.clone(),
            problem: format!("this private key cannot be read: {cause}"),
        })?;
        let key = keys::decode(&source, &Secret::new(text), passphrase)?;
        let certificate = certificate_of(&file.path)?;
        self.add_key(&source, key, certificate)
    }

    fn add_key(&mut self, from: &str, key: PrivateKey, certificate: Option<Certificate>) -> Result<(), ConnectError> {
        if matches!(key.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256) {
            let problem = "this key is in a security key (FIDO); load it into an ssh-agent".to_owned();
            return Err(ConnectError::KeyFormat { source: from.to_owned(), problem });
        }
        let key = Arc::new(key);
        if let Some(certificate) = certificate.filter(|c| c.public_key() == key.public_key().key_data()) {
            let kind = KeyKind::Signed(key.clone(), Box::new(certificate));
            self.list.push(Offer { from: format!("{from}, certificate"), kind });
        }
        self.list.push(Offer { from: from.to_owned(), kind: KeyKind::Key(key) });
        Ok(())
    }

    /// Adds what the agent has. The error says why it can't be used.
    async fn add_agent(&mut self, sources: &Sources<'_>) -> Result<(), String> {
        let identities = agent_identities().await?;
        let wanted: Vec<PublicKey> = sources.files.iter().filter_map(|f| public_key(&f.path)).collect();
        let is_wanted =
            |identity: &AgentIdentity| wanted.iter().any(|key| key.key_data() == identity.public_key().key_data());
        let mut new: Vec<AgentIdentity> = identities
            .into_iter()
            .filter(|i| is_wanted(i) || !sources.only_files)
            .filter(|i| !self.list.iter().any(|o| matches!(o.kind, KeyKind::Key(_)) && o.holds(&i.public_key())))
            .collect();
        new.sort_by_key(|identity| !is_wanted(identity));
        let offer = |identity| Offer { from: "the ssh-agent".into(), kind: KeyKind::Agent(Box::new(identity)) };
        self.list.extend(new.into_iter().map(offer));
        Ok(())
    }

    /// Offers one after the other until the server accepts one; five at most.
    pub(super) async fn log_in(
        &self,
        handle: &mut Handle<Client>,
        user: &str,
        trips: &Trips,
    ) -> Result<(), LoginRefusal> {
        trips.one(); // ssh-userauth, RFC 4253 section 10
        let mut refusal = LoginRefusal { missing: self.missing.clone(), ..LoginRefusal::default() };
        let hash = self.rsa_hash(handle).await;
        for offer in self.list.iter().take(MOST_OFFERS) {
            refusal.offered.push(offer.describe());
            trips.one();
            match offer.try_with(handle, user, hash).await {
                Ok(AuthResult::Success) => {
                    trips.one();
                    return Ok(());
                }
                Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                    if refusal.is_final(remaining_methods, partial_success) {
                        break;
                    }
                }
                Err(problem) => refusal.note = Some(problem),
            }
            if handle.is_closed() {
                break;
            }
        }
        if self.list.len() > MOST_OFFERS && refusal.note.is_none() {
            let left = self.list.len() - MOST_OFFERS;
            refusal.note = Some(format!("{left} more keys were not offered: servers hang up after six; state the key"));
        }
        Err(refusal)
    }

    /// The hash to sign with, if there is an RSA key at all: to ask may take a second with a server that has no
    /// RFC 8308 extensions. SHA-1 is never used.
    async fn rsa_hash(&self, handle: &Handle<Client>) -> Option<HashAlg> {
        if !self.list.iter().any(|offer| offer.algorithm().is_rsa()) {
            return None;
        }
        match handle.best_supported_rsa_hash().await {
            Ok(Some(Some(hash))) => Some(hash),
            _ => Some(HashAlg::Sha512),
        }
    }
}

impl Offer {
    fn public_key(&self) -> PublicKey {
        match &self.kind {
            KeyKind::Key(key) | KeyKind::Signed(key, _) => key.public_key().clone(),
            KeyKind::Agent(identity) => identity.public_key().into_owned(),
        }
    }

    fn algorithm(&self) -> Algorithm {
        self.public_key().algorithm()
    }

    fn holds(&self, key: &PublicKey) -> bool {
        self.public_key().key_data() == key.key_data()
    }

    fn describe(&self) -> String {
        let key = self.public_key();
        format!("{} {} ({})", key.algorithm().as_str(), fingerprint(&key), self.from)
    }

    async fn try_with(
        &self,
        handle: &mut Handle<Client>,
        user: &str,
        hash: Option<HashAlg>,
    ) -> Result<AuthResult, String> {
        let hash = hash.filter(|_| self.algorithm().is_rsa());
        match &self.kind {
            KeyKind::Key(key) => {
                let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
                handle.authenticate_publickey(user, key).await.map_err(|e| e.to_string())
            }
            KeyKind::Signed(key, certificate) => {
                let mut signer = LocalSigner(key.clone());
                let certificate = certificate.as_ref().clone();
                let result = handle.authenticate_certificate_with(user, certificate, hash, &mut signer).await;
                result.map_err(|e| e.to_string())
            }
            KeyKind::Agent(identity) => with_agent(handle, user, identity, hash).await,
        }
    }
}

async fn with_agent(
    handle: &mut Handle<Client>,
    user: &str,
    identity: &AgentIdentity,
    hash: Option<HashAlg>,
) -> Result<AuthResult, String> {
    let describe = |e: russh::AgentAuthError| format!("the ssh-agent did not sign: {}", one_line(&e.to_string(), 120));
    let mut agent = AgentClient::connect_env().await.map_err(|e| one_line(&e.to_string(), 120))?;
    match identity {
        AgentIdentity::PublicKey { key, .. } => {
            handle.authenticate_publickey_with(user, key.clone(), hash, &mut agent).await.map_err(describe)
        }
        AgentIdentity::Certificate { certificate, .. } => {
            let certificate = certificate.clone();
            handle.authenticate_certificate_with(user, certificate, hash, &mut agent).await.map_err(describe)
        }
    }
}

async fn agent_identities() -> Result<Vec<AgentIdentity>, String> {
    let ask = async { AgentClient::connect_env().await?.request_identities().await };
    match crate::awake::timeout(AGENT_ANSWERS_WITHIN, ask).await {
        Ok(Ok(identities)) => Ok(identities),
        Ok(Err(cause)) => Err(one_line(&cause.to_string(), 200)),
        Err(_) => Err("it did not answer within 5 s".into()),
    }
}

/// Why nobody let us in.
#[derive(Default)]
pub(super) struct LoginRefusal {
    pub(super) offered: Vec<String>,
    pub(super) methods: Vec<String>,
    pub(super) note: Option<String>,
    pub(super) missing: Option<ConnectError>,
}

impl LoginRefusal {
    /// Notes what the server said; whether there is no use in going on.
    fn is_final(&mut self, methods: MethodSet, partial: bool) -> bool {
        if methods.is_empty() {
            return false;
        }
        self.methods = methods.iter().map(|m| <&str>::from(m).to_owned()).collect();
        if partial {
            self.note = Some("the server took the key, and wants a further factor that cutover does not have".into());
        }
        partial || !methods.contains(&MethodKind::PublicKey)
    }
}

/// `KEY-cert.pub`, as ssh(1) looks for it.
fn certificate_of(key: &Path) -> Result<Option<Certificate>, ConnectError> {
    let mut name = key.as_os_str().to_owned();
    name.push("-cert.pub");
    let path = PathBuf::from(name);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
    Certificate::from_openssh(text.trim()).map(Some).map_err(|_| ConnectError::KeyFormat {
        source: path.display().to_string(),
        problem: "this is not an OpenSSH certificate".into(),
    })
}

/// The public half of a key file, without its passphrase.
fn public_key(path: &Path) -> Option<PublicKey> {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    let beside = std::fs::read_to_string(name).ok().and_then(|text| PublicKey::from_openssh(text.trim()).ok());
    beside.or_else(|| keys::public_half(&Secret::new(std::fs::read_to_string(path).ok()?)))
}

/// Signs with a key that we have, for a certificate: russh's own way signs RSA with SHA-1, which servers refuse.
struct LocalSigner(Arc<PrivateKey>);

impl russh::Signer for LocalSigner {
    type Error = russh::AgentAuthError;

    async fn auth_sign(
        &mut self,
        _key: &AgentIdentity,
        hash: Option<HashAlg>,
        mut to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        let signed: Result<Signature, _> = match self.0.key_data() {
            KeypairData::Rsa(pair) => signature::Signer::try_sign(&(pair, hash), &to_sign),
            _ => signature::Signer::try_sign(self.0.as_ref(), &to_sign),
        };
        let signed = signed.map_err(|_| russh::keys::Error::InvalidSignature)?;
        let blob = Vec::<u8>::try_from(signed).map_err(russh::keys::Error::from)?;
        to_sign.extend((blob.len() as u32).to_be_bytes());
        to_sign.extend(blob);
        Ok(to_sign)
    }
}
