//! Which variables of the environment hold secrets, as far as cutover.yml names them.
use super::types::{Config, EnvContent, Hooks, SecretSource};

impl Config {
    /// The variables that are named as the source of a secret, with or without a value today.
    pub fn secret_names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            [&self.ssh.key_env, &self.ssh.passphrase_env].into_iter().flatten().map(ToString::to_string).collect();
        names.extend(self.registry.iter().map(|registry| registry.password_env.to_string()));
        match self.env_file.as_ref().map(|file| &file.content) {
            Some(EnvContent::Whole(name)) => names.push(name.to_string()),
            Some(EnvContent::Values(pairs)) => names.extend(pairs.iter().map(|(_, name)| name.to_string())),
            None => {}
        }
        let builds = self.services.iter().filter_map(|service| service.build.as_ref());
        for secret in builds.flat_map(|build| &build.secrets) {
            if let SecretSource::Env(name) = &secret.source {
                names.push(name.to_string());
            }
        }
        let Hooks { before_build, before_release, after_release, on_failure, .. } = &self.hooks;
        let local = [before_build, before_release, after_release, on_failure].into_iter().flatten();
        names.extend(local.flat_map(|hook| &hook.secrets).map(ToString::to_string));
        names
    }

    /// Words that are in every report anyway.
    pub fn public_words(&self) -> Vec<String> {
        let mut words = vec![self.directory.clone()];
        words.extend(self.environment.iter().map(ToString::to_string));
        words.extend(self.project.iter().map(ToString::to_string));
        words.extend(self.hosts.iter().flat_map(|host| [host.label().to_owned(), host.address.name.clone()]));
        words.extend(self.services.iter().flat_map(|service| [service.name.to_string(), service.image.to_string()]));
        words
    }
}
