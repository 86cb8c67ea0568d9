//! `cutover init --new`: what a project needs on a server that has nothing but Docker.

use super::{Exit, Stop, ask};
use crate::cli;
use crate::init::{Choices, Fresh, ProjectFound, SERVER, dockerfile_hints, dockerfile_port};
use crate::report::{Level, Reporter};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where compose looks for a file by itself.
const COMPOSE: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// What is of no use in an image, by the file that says so.
const IGNORED: [(&str, &str); 3] =
    [("package.json", "node_modules"), ("Cargo.toml", "target"), ("requirements.txt", ".venv")];

/// An error where the repository has a compose file: it is no new project.
pub(super) fn refuse_old(root: &Path) -> Result<(), Stop> {
    let Some(file) = COMPOSE.into_iter().find(|name| root.join(name).exists()) else { return Ok(()) };
    let message = format!(
        "--new is for a project without a compose file, and {file} is here; `cutover init` without it reads that one"
    );
    Err(Stop::new(Exit::Usage, message))
}

/// The image's name where nothing is said: the directory's, as Docker takes it.
pub(super) fn image(root: &Path) -> String {
    let name = root.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().to_lowercase()));
    let good = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.unwrap_or_default().chars().map(good).collect();
    let name = name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    if name.is_empty() { "app".to_owned() } else { name }
}

/// The project's directory on the host where nothing is said.
pub(super) fn directory(host: &str, image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    match host.split_once('@').map(|(user, _)| user) {
        Some(user) if user != "root" => format!("/home/{user}/{name}"),
        _ => format!("/srv/{name}"),
    }
}

/// The files, and what to do then. Makes the job's key.
pub(super) fn prepare(
    reporter: &Reporter,
    root: &Path,
    found: &ProjectFound,
    answers: &Choices,
    options: &cli::InitOptions,
) -> Result<(Vec<(PathBuf, String)>, String), Stop> {
    let context = found.contexts.first().map(|context| root.join(context).join("Dockerfile"));
    let dockerfile = context.and_then(|path| std::fs::read_to_string(path).ok());
    match &dockerfile {
        Some(text) => dockerfile_hints(text).into_iter().for_each(|hint| reporter.note(Level::Warning, "", hint)),
        None => reporter.note(Level::Warning, "", no_dockerfile()),
    }
    let port = options.port.or_else(|| dockerfile.as_deref().and_then(dockerfile_port)).or_else(asked_port);
    let Some(port) = port else {
        let message = "no Dockerfile here says which port the service listens on (`EXPOSE 3000`); give --port";
        return Err(Stop::new(Exit::Usage, message));
    };
    let (key, public_key) = key(&answers.services[0].name)?;
    let fresh = Fresh { port, domain: options.domain.clone(), key, public_key };
    let ignored: Vec<&str> =
        IGNORED.iter().filter(|(sign, _)| root.join(sign).exists()).map(|(_, name)| *name).collect();
    let mut files: Vec<(PathBuf, String)> =
        fresh.files(answers, &ignored).into_iter().map(|(name, text)| (root.join(name), text)).collect();
    let server = fresh.server(answers).map_err(|error| Stop::new(Exit::Usage, error))?;
    files.push((root.join(SERVER), server));
    Ok((files, fresh.how_to_go_on(answers)))
}

fn no_dockerfile() -> String {
    format!(
        "there is no Dockerfile here yet, and the first release wants one: {}/blob/main/docs/start-server.md#a-dockerfile",
        env!("CARGO_PKG_REPOSITORY")
    )
}

fn asked_port() -> Option<u16> {
    ask::is_person_there()
        .then(|| ask::text("The port that the service listens on", ""))
        .and_then(|port| port.parse().ok())
}

/// The job's key: its path, as a shell has it, and its public half. It is made outside of the repository, so that nobody commits it.
fn key(name: &str) -> Result<(String, String), Stop> {
    let fail = |message: String| Stop::new(Exit::Usage, message);
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let directory =
        home.ok_or_else(|| fail("HOME is not set, and the job's key goes into ~/.ssh".to_owned()))?.join(".ssh");
    let path = directory.join(format!("cutover-{name}"));
    let public = directory.join(format!("cutover-{name}.pub"));
    if !path.exists() {
        std::fs::create_dir_all(&directory).map_err(|error| fail(format!("{}: {error}", directory.display())))?;
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "cutover", "-f"]).arg(&path).stdin(Stdio::null());
        let output =
            keygen.output().map_err(|error| fail(format!("ssh-keygen, which makes the job's key: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(fail(format!("ssh-keygen could not make {}: {}", path.display(), said.trim())));
        }
    }
    let text = std::fs::read_to_string(&public).map_err(|error| fail(format!("{}: {error}", public.display())))?;
    Ok((format!("~/.ssh/cutover-{name}"), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_a_name() {
        let dir = tempfile::tempdir().map(|dir| dir.path().join("My Shop_2")).unwrap_or_default();
        assert!(std::fs::create_dir_all(&dir).is_ok());
        assert_eq!(image(&dir), "my-shop-2");
        assert_eq!(directory("deploy@203.0.113.10:22", "acme/shop"), "/home/deploy/shop");
        assert_eq!(directory("root@203.0.113.10", "shop"), "/srv/shop");
        assert_eq!(directory("web-1", "shop"), "/srv/shop");
    }
}
