//! What cutover.yml says, once it is checked. `None` and empty lists mean: found out on the host.
use super::host::{Address, HostSettings};
use super::image::ImageName;
use super::names::{EnvName, Name};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// A checked cutover.yml, with one environment's settings laid over it.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The environment that was asked for. Part of the identity of state, lock and history on the host.
    pub environment: Option<Name>,
    /// The directory of cutover.yml: relative paths of this side start there, and git is asked there.
    pub root: PathBuf,
    /// The services, in the order of the file; at least one.
    pub services: Vec<ServiceSettings>,
    /// The hosts, in the order of the file; at least one, none twice.
    pub hosts: Vec<HostSettings>,
    /// The project's directory on every host: absolute, no `.` or `..` in it.
    pub directory: String,
    /// The compose files on the host, relative to `directory` or absolute; empty: as compose itself finds them.
    pub compose_files: Vec<String>,
    /// The name of the compose project.
    pub project: Option<Name>,
    /// The stack, with `engine: swarm`; `None`: compose runs the slots.
    pub stack: Option<Name>,
    /// nginx on the host.
    pub nginx: NginxSettings,
    /// When the tag `latest` moves.
    pub latest: Latest,
    /// What a commit message without a version means.
    pub when_missing: WhenMissing,
    /// Where in a text its version stands.
    pub version_from: VersionFrom,
    /// The registry's login; `None`: docker's own configuration is used as it is.
    pub registry: Option<RegistrySettings>,
    /// How to log in to the hosts.
    pub ssh: Ssh,
    /// How long to wait for nginx's old workers to finish.
    pub drain_timeout: Duration,
    /// Watching after the switch; `None`: not watched.
    pub bake: Option<Bake>,
    /// How many releases are kept on a host for rollback; at least 1.
    pub keep: usize,
    /// How many hosts are worked on at the same time; `None`: all.
    pub parallel: Option<usize>,
    /// How long to wait for another run's lock; zero: not at all.
    pub lock_wait: Duration,
    /// Commands around the switch.
    pub hooks: Hooks,
    /// A secret env file that is put on the host.
    pub env_file: Option<EnvFile>,
    /// What GitHub is told.
    pub github: GitHubSettings,
}

/// One service: two slots, of which nginx sends traffic to one.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSettings {
    /// Its name in cutover.yml; without one, the last part of the image's name.
    pub name: Name,
    /// The image of both slots.
    pub image: ImageName,
    /// What a version's tag in the registry looks like.
    pub tag: TagForm,
    /// The image goes to the hosts over SSH, and through no registry.
    pub ship: bool,
    /// How to build the image; `None` (`build: false`): it is built and pushed elsewhere.
    pub build: Option<Build>,
    /// Where the two slots are, two different ones.
    pub slots: Option<[SlotSettings; 2]>,
    /// Compose services beside nginx that run the image too, and are moved with a release.
    pub workers: Vec<Name>,
    /// The name of nginx's upstream.
    pub upstream: Option<Name>,
    /// The port inside the container.
    pub port: Option<PortSetting>,
    /// When a slot counts as healthy.
    pub health: HealthSettings,
    /// How long a container may take to stop; `None`: compose's `stop_grace_period`.
    pub stop_timeout: Option<Duration>,
}

/// What the tag of a version looks like: `{version}` stands for it, without its `v`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagForm(String);

/// What stands for the version.
const VERSION: &str = "{version}";

impl TagForm {
    /// The tag of a version, which has no `v` here.
    pub fn made_of(&self, version: &str) -> String {
        self.0.replace(VERSION, version)
    }

    /// What stands in a tag where the version does; `None`: it is none of these tags.
    pub fn within<'a>(&self, tag: &'a str) -> Option<&'a str> {
        let (before, after) = self.0.split_once(VERSION)?;
        tag.strip_prefix(before)?.strip_suffix(after)
    }
}

impl Default for TagForm {
    fn default() -> Self {
        TagForm(format!("v{VERSION}"))
    }
}

impl std::fmt::Display for TagForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for TagForm {
    type Err = String;

    /// The error says what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.replacen(VERSION, "0", 1);
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        let is_tag = !plain.starts_with(['.', '-']) && plain.bytes().all(good) && plain.len() <= 64;
        if plain != text && is_tag && !plain.starts_with("cutover-") {
            return Ok(TagForm(text.to_owned()));
        }
        Err(format!("a tag in which `{VERSION}` stands once, such as \"{VERSION}\" or \"release-{VERSION}\""))
    }
}

/// Where a slot is, as far as it is stated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlotSettings {
    /// Its compose service; `None`: the one that has the image.
    pub service: Option<Name>,
    /// Its compose project; `None`: that of nginx, or as compose calls its files.
    pub project: Option<Name>,
    /// Its compose files, as `Config::compose_files`; empty: those.
    pub files: Vec<String>,
}

/// The port that a service's slots listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortSetting {
    /// Both listen on this one.
    Same(u16),
    /// Each on its own: compose service and port.
    Each(Vec<(Name, u16)>),
}

impl PortSetting {
    /// The port of a slot, where one is stated.
    pub fn of(&self, slot: &str) -> Option<u16> {
        match self {
            PortSetting::Same(port) => Some(*port),
            PortSetting::Each(all) => all.iter().find(|(name, _)| name.as_str() == slot).map(|(_, port)| *port),
        }
    }
}

/// How an image is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// A directory, absolute or relative to the working directory; or a URL that docker takes as a context.
    pub context: PathBuf,
    /// The Dockerfile, in the same terms as `context` (cutover.yml has it relative to the context, as compose does).
    pub dockerfile: Option<PathBuf>,
    /// The stage to build.
    pub target: Option<String>,
    /// `OS/ARCHITECTURE[/VARIANT]`.
    pub platform: Option<String>,
    /// Build arguments, in the order of the file; no value: taken from the environment.
    pub args: Vec<(String, Option<String>)>,
    /// Build secrets.
    pub secrets: Vec<BuildSecret>,
    /// `--cache-from`, as docker takes it.
    pub cache_from: Vec<String>,
    /// `--cache-to`, as docker takes it; needs buildx.
    pub cache_to: Vec<String>,
}

/// A secret that one `RUN --mount=type=secret` of the Dockerfile sees; never part of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSecret {
    /// The id in the Dockerfile.
    pub id: Name,
    /// Where it comes from.
    pub source: SecretSource,
}

/// Where a build secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(EnvName),
    /// A file, absolute or relative to the working directory.
    File(PathBuf),
}

/// When a slot counts as healthy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HealthSettings {
    /// The path to ask for, with its query.
    pub path: String,
    /// The Host header; `None`: the slot's own name and port.
    pub host: Option<String>,
    /// The statuses that count as healthy.
    pub status: Vec<RangeInclusive<u16>>,
    /// How long it may take until healthy.
    pub timeout: Duration,
    /// From one probe to the next.
    pub interval: Duration,
    /// How many healthy answers in a row.
    pub successes: u32,
}

impl HealthSettings {
    /// Whether this HTTP status counts as healthy.
    pub fn accepts(&self, status: u16) -> bool {
        self.status.iter().any(|range| range.contains(&status))
    }
}

/// nginx on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NginxSettings {
    /// Its compose service.
    pub service: Option<Name>,
    /// Its container, which is none of the compose project.
    pub container: Option<Name>,
    /// It runs on the host itself.
    pub on_host: bool,
    /// The conf file with the upstreams, on the host, relative to `directory` or absolute.
    pub conf: Option<String>,
    /// Whether cutover may add its file with `keepalive_min_timeout`.
    pub keepalive_guard: bool,
    /// How it is asked, where what is found out does not do.
    pub probe: ProbeStated,
}

/// What a request through nginx has beside, or instead of, what is found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProbeStated {
    /// The path.
    pub path: Option<String>,
    /// The Host header, and TLS server name.
    pub host: Option<String>,
    /// The variable that holds more headers, one `Name: value` a line.
    pub headers_env: Option<EnvName>,
}

/// When the tag `latest` moves to the new image; never for a pre-release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latest {
    /// When the swap is confirmed.
    Confirmed,
    /// With the push, before the swap.
    Pushed,
    /// Never.
    Never,
}

/// What a commit message without a version means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenMissing {
    /// Nothing to release; exit 0.
    Skip,
    /// An error; exit 2.
    Fail,
}

/// Which version in a commit message, or another text, is that of the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionFrom {
    /// One that stands where releases are named.
    UsualPlaces,
    /// Any.
    Anywhere,
    /// What a pattern of the user's own finds.
    Pattern(VersionPattern),
}

/// A regular expression with a group called `version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionPattern(String);

impl VersionPattern {
    /// The expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for VersionPattern {
    type Err = String;

    /// The error says what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = r"a regular expression with a group named version, such as ^deploy (?P<version>[0-9.]+)";
        let why = |error: regex::Error| {
            let said = error.to_string();
            let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("{expected} ({last})")
        };
        let regex = regex::RegexBuilder::new(text).size_limit(1 << 20).build().map_err(why)?;
        if text.is_empty() || !regex.capture_names().flatten().any(|name| name == "version") {
            return Err(expected.to_owned());
        }
        Ok(VersionPattern(text.to_owned()))
    }
}

/// The registry's login. The password only ever comes from an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySettings {
    /// `HOST[:PORT]`; `None`: the registry of the image.
    pub server: Option<String>,
    /// The user; `None`: from `CUTOVER_REGISTRY_USERNAME`.
    pub username: Option<String>,
    /// The variable that holds the password.
    pub password_env: EnvName,
}

/// How to log in to the hosts. Everything absent: agent, default keys, `~/.ssh/config`, `~/.ssh/known_hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ssh {
    /// The variable that holds the private key.
    pub key_env: Option<EnvName>,
    /// A file with the private key; `~/` is the home directory.
    pub key_file: Option<PathBuf>,
    /// The variable that holds the key's passphrase.
    pub passphrase_env: Option<EnvName>,
    /// The hosts' keys.
    pub known_hosts: Option<KnownHostsSetting>,
    /// Fingerprints of which one must be the host's: `SHA256:` and 43 characters of base64, or `HOST=` and that.
    pub fingerprints: Vec<String>,
    /// Hosts to go through, first to last.
    pub jump: Vec<Address>,
    /// How long connecting may take, login included.
    pub connect_timeout: Option<Duration>,
    /// Instead of `~/.ssh/config`.
    pub config_file: Option<PathBuf>,
}

/// Where the hosts' keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownHostsSetting {
    /// Lines in the format of known_hosts (sshd(8)).
    Text(String),
    /// A file of such lines.
    File(PathBuf),
}

/// Watching through nginx after the switch, and going back by itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Bake {
    /// For how long.
    pub duration: Duration,
    /// More failures than this put the old version back.
    pub max_failures: u32,
}

/// Commands around the switch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// Once for the release, in the new image, on one host, before the switch.
    pub release: Option<ReleaseHook>,
    /// On every host, before the switch.
    pub before_switch: Option<HostHook>,
    /// On every host, after the switch.
    pub after_switch: Option<HostHook>,
    /// Here, before anything is built.
    pub before_build: Option<LocalHook>,
    /// Here, before the first host is changed.
    pub before_release: Option<LocalHook>,
    /// Here, when the new version is live.
    pub after_release: Option<LocalHook>,
    /// Here, when a release has failed.
    pub on_failure: Option<LocalHook>,
}

/// A command in a container of the new image, such as a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseHook {
    /// Words, never a line.
    pub command: Vec<String>,
    /// The service whose image and settings it runs with; one of `Config::services`.
    pub service: Name,
    /// Its time.
    pub timeout: Duration,
    /// Whether rolling back the code is unsafe once it has run.
    pub irreversible: bool,
}

/// A command on the host itself, in the project's directory.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostHook {
    /// Words, never a line.
    pub command: Vec<String>,
    /// Its time.
    pub timeout: Duration,
}

/// A command on this side, in the directory of cutover.yml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalHook {
    /// Words, never a line.
    pub command: Vec<String>,
    /// Its time.
    pub timeout: Duration,
    /// Variables with secrets that it gets; no other program does.
    pub secrets: Vec<EnvName>,
}

/// What GitHub is told of a release, where there is a token for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubSettings {
    /// When the tag and the release are made.
    pub release: WhenReleased,
    /// Whether a deployment of the environment is written.
    pub deployments: bool,
    /// Where the environment is to be seen.
    pub environment_url: Option<String>,
}

/// When the tag and the release on GitHub are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenReleased {
    /// Before anything is built.
    Before,
    /// When the swap is confirmed.
    Confirmed,
    /// Never.
    Never,
}

/// A secret env file: what travels from variables of this side to a file on the host, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    /// The file on the host, relative to `directory` or absolute.
    pub path: String,
    /// What it gets.
    pub content: EnvContent,
}

/// What an env file gets from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvContent {
    /// The whole file is the value of this variable.
    Whole(EnvName),
    /// Keys of the file, each with the variable that holds its value. Everything else in the file stays.
    Values(Vec<(EnvName, EnvName)>),
}
