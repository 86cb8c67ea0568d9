//! A registry login that lives as long as this run.
use super::login_dir::LoginDir;
use crate::config::{DOCKER_HUB, ImageName, RegistrySettings};
use crate::secret::Secret;
use serde_json::{Map, Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// The variable of the password, where cutover.yml names no other.
pub const PASSWORD_ENV: &str = "CUTOVER_REGISTRY_PASSWORD";
/// The variable of the user, where cutover.yml has no `username`.
pub const USERNAME_ENV: &str = "CUTOVER_REGISTRY_USERNAME";

/// What a registry wants to know. The same for the runner's push and for the host's pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `HOST[:PORT]`; `docker.io` for Docker Hub.
    pub server: String,
    /// The user.
    pub username: String,
    /// The password or token.
    pub password: Secret,
    /// The variable that the password came from, for messages.
    pub password_env: String,
}

impl Credentials {
    /// Puts the login together from cutover.yml's `registry` and the environment; `env` looks a variable up.
    ///
    /// `None`: nothing is given, docker's own configuration is used as it is. The error says which half is missing.
    pub fn find(
        registry: Option<&RegistrySettings>,
        image: &ImageName,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Credentials>, String> {
        let get = |name: &str| env(name).filter(|value| !value.is_empty());
        let password_env = registry.map_or(PASSWORD_ENV, |r| r.password_env.as_str());
        let server = registry.and_then(|r| r.server.as_deref()).unwrap_or(image.registry());
        let username = registry.and_then(|r| r.username.clone()).or_else(|| get(USERNAME_ENV));
        let named = registry.is_some_and(|r| r.username.is_some() || password_env != PASSWORD_ENV);
        match (username, get(password_env)) {
            (Some(username), Some(password)) => Ok(Some(Credentials {
                server: server.to_owned(),
                username,
                // A secret pasted with its line's end is meant without it.
                password: Secret::new(password.trim_end_matches(['\r', '\n'])),
                password_env: password_env.to_owned(),
            })),
            (None, Some(_)) => Err(format!(
                "{password_env} is set but no user for {server} is; expected `registry: {{username: NAME}}` or {USERNAME_ENV}"
            )),
            (_, None) if named => {
                Err(format!("the environment variable {password_env} is not set; expected the password for {server}"))
            }
            (_, None) => Ok(None),
        }
    }

    /// The server as an argument of `docker login`: none for Docker Hub, which has no name there.
    pub fn server_argument(&self) -> Option<&str> {
        (self.server != DOCKER_HUB).then_some(&self.server)
    }

    /// The server's key in docker's config.json.
    fn key(&self) -> &str {
        if self.server == DOCKER_HUB { "https://index.docker.io/v1/" } else { &self.server }
    }
}

/// What docker's command line finds in its directory besides logins: plugins, contexts, builders.
const SHARED: [&str; 4] = ["cli-plugins", "contexts", "buildx", "trust"];
/// What config.json says besides logins.
const SETTINGS: [&str; 6] = ["currentContext", "cliPluginsExtraDirs", "plugins", "features", "aliases", "builder"];

/// A directory to log in into, 0700, gone when it is dropped.
///
/// It holds no login of the user's: their config.json gives only its settings, and plugins, contexts and builders are
/// symbolic links. The entry for the server is there from the start because docker, finding none at all, would choose
/// the system's credential store and keep the password there.
pub(super) fn private_config(credentials: &Credentials) -> io::Result<LoginDir> {
    let dir = LoginDir::new(&std::env::temp_dir())?;
    let users = users_config();
    let mut config = users.as_deref().map(settings).unwrap_or_default();
    config.insert("auths".to_owned(), json!({ credentials.key(): {} }));
    let file = dir.path().join("config.json");
    std::fs::write(&file, Value::Object(config).to_string())?;
    restrict(&file)?;
    for name in SHARED {
        if let Some(real) = users.as_ref().map(|users| users.join(name)).filter(|real| real.is_dir()) {
            link(&real, &dir.path().join(name))?;
        }
    }
    Ok(dir)
}

/// Where docker keeps its configuration: `DOCKER_CONFIG`, else `~/.docker`.
fn users_config() -> Option<PathBuf> {
    let set = std::env::var_os("DOCKER_CONFIG").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = set.or_else(|| std::env::home_dir().map(|home| home.join(".docker")))?;
    std::path::absolute(dir).ok()
}

fn settings(users: &Path) -> Map<String, Value> {
    let text = std::fs::read(users.join("config.json")).unwrap_or_default();
    let all: Map<String, Value> = serde_json::from_slice(&text).unwrap_or_default();
    all.into_iter().filter(|(key, _)| SETTINGS.contains(&key.as_str())).collect()
}

#[cfg(unix)]
fn restrict(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))
}

#[cfg(unix)]
fn link(real: &Path, here: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(real, here)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::EnvName;

    fn registry(username: Option<&str>, env: &str) -> RegistrySettings {
        let password_env: EnvName = env.parse().unwrap();
        RegistrySettings { server: None, username: username.map(str::to_owned), password_env }
    }

    fn find(registry: Option<RegistrySettings>, env: &[(&str, &str)]) -> Result<Option<(String, String)>, String> {
        let image = "ghcr.io/a/b".parse().unwrap();
        let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let found = Credentials::find(registry.as_ref(), &image, env)?;
        Ok(found.map(|c| (format!("{}@{}", c.username, c.server), c.password.expose().to_owned())))
    }

    #[test]
    fn credentials_come_from_the_file_and_the_environment() {
        let both = [(USERNAME_ENV, "u"), (PASSWORD_ENV, "p\r\n")];
        let found = Ok(Some(("u@ghcr.io".to_owned(), "p".to_owned())));
        assert_eq!(find(None, &both), found);
        assert_eq!(find(None, &[]), Ok(None));
        assert_eq!(find(None, &[(USERNAME_ENV, "u")]), Ok(None));
        assert_eq!(find(Some(registry(None, PASSWORD_ENV)), &[]), Ok(None));
        assert_eq!(find(Some(registry(Some("u"), "TOKEN")), &[("TOKEN", "p")]), found);
    }

    #[test]
    fn half_a_login_is_an_error_that_says_which_half() {
        let missing = find(Some(registry(Some("u"), "TOKEN")), &[(PASSWORD_ENV, "p")]).unwrap_err();
        assert_eq!(missing, "the environment variable TOKEN is not set; expected the password for ghcr.io");
        let missing = find(None, &[(PASSWORD_ENV, "hunter2")]).unwrap_err();
        assert!(missing.starts_with("CUTOVER_REGISTRY_PASSWORD is set but no user for ghcr.io is"), "{missing}");
    }

    #[test]
    fn settings_are_taken_and_logins_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let config = json!({"auths": {"x": {"auth": "c2VjcmV0"}}, "credsStore": "pass", "currentContext": "here", "HttpHeaders": {}});
        std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        assert_eq!(Value::Object(settings(dir.path())), json!({"currentContext": "here"}));
    }
}
