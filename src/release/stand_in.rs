//! An executable that stands in for docker.
#![allow(clippy::unwrap_used)]
use super::DockerCli;

/// A directory with a `docker` that writes down its words, its stdin and its DOCKER_CONFIG, and then does as told.
pub(super) struct StandIn {
    pub(super) dir: tempfile::TempDir,
}

impl StandIn {
    /// `script` is what docker does, a `case` on `$*`; without a match it exits 0.
    pub(super) fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path().display();
        let text = format!(
            "#!/bin/sh\nfor word; do printf '[%s]' \"$word\"; done >>{here}/words; echo >>{here}/words\n\
             case \"$1\" in login) cat >{here}/stdin; echo \"$DOCKER_CONFIG\" >{here}/config\n\
             stat -c '%a' \"$DOCKER_CONFIG\" \"$DOCKER_CONFIG/config.json\" >{here}/modes\n\
             cp \"$DOCKER_CONFIG/config.json\" {here}/config.json;; esac\n\
             case \"$*\" in\n{script}\nesac\n"
        );
        std::fs::write(dir.path().join("docker"), text).unwrap();
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path().join("docker"), mode).unwrap();
        StandIn { dir }
    }

    pub(super) async fn docker(&self) -> DockerCli {
        DockerCli::at(self.dir.path().join("docker")).await.unwrap()
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    /// What docker was told, without the search for buildx.
    pub(super) fn words(&self) -> Vec<String> {
        self.read("words").lines().skip(1).map(str::to_owned).collect()
    }
}
