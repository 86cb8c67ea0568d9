//! A project on a server that has nothing but Docker: the files, the script that makes the user, and what a person does then.

use super::files::{Choices, registry};
use super::place::Place;
use crate::host::ssh::quote;

/// The script for the server.
pub const SERVER: &str = "cutover-server.sh";

/// What is known of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// The port that it listens on.
    pub port: u16,
    /// The name under which it is reached over HTTPS; `None`: HTTP alone.
    pub domain: Option<String>,
    /// The private key of the job, as a shell has it: `~/.ssh/cutover-shop`.
    pub key: String,
    /// Its public half.
    pub public_key: String,
}

const CHALLENGE: &str = "  location /.well-known/acme-challenge/ { root /var/www/certbot; }\n";

impl Fresh {
    /// The files of the project, from the directory of cutover.yml. `words`: what else is none of the image's business.
    pub fn files(&self, answers: &Choices, ignored: &[&str]) -> Vec<(&'static str, String)> {
        let service = &answers.services[0];
        let mut compose = include_str!("fresh/docker-compose.yml").to_owned();
        let (mut ports, mut volumes) = (vec!["80:80"], vec!["./nginx/:/etc/nginx/conf.d/"]);
        let mut files = Vec::new();
        if let Some(domain) = &self.domain {
            ports.push("443:443");
            volumes.extend(["./certbot/:/var/www/certbot/:ro", "./letsencrypt/:/etc/letsencrypt/:ro"]);
            compose += include_str!("fresh/certbot.yml");
            let conf = self.filled(include_str!("fresh/https.conf"), &service.name).replace("{domain}", domain);
            files.push(("nginx/https.conf.off", conf));
        }
        let compose = compose.replace("{ports}", &list(&ports)).replace("{volumes}", &list(&volumes));
        let compose = compose.replace("{image}", &service.image).replace("{port}", &self.port.to_string());
        files.push(("docker-compose.yml", compose));
        files.push(("nginx/default.conf", self.filled(include_str!("fresh/default.conf"), &service.name)));
        let ignored = [".git", ".github", ".env", "cutover.yml", SERVER, "docker-compose.yml"].iter().chain(ignored);
        files.push((".dockerignore", ignored.map(|name| format!("{name}\n")).collect()));
        files
    }

    fn filled(&self, conf: &str, name: &str) -> String {
        let challenge = if self.domain.is_some() { CHALLENGE } else { "" };
        conf.replace("{challenge}", challenge).replace("{name}", name).replace("{port}", &self.port.to_string())
    }

    /// What root runs on the server. An error is a value that no shell takes.
    pub fn server(&self, answers: &Choices) -> Result<String, String> {
        let place = Place::of(&answers.host);
        let value = |text: &str| quote(text).map_err(|error| format!("{text:?}: {error}"));
        // `restrict` takes all but commands away; `port-forwarding` gives one thing back
        let key = format!("restrict,port-forwarding {}", self.public_key.trim());
        Ok(format!(
            "#!/bin/sh\n# Once on {name}, as root: {ssh} root@{name} sh -s < {SERVER}\n# Makes a user that releases, and the \
             project's directory. What is there already stays.\n\
             user={}\ndirectory={}\nkey={}\n\n{}",
            value(user(&place))?,
            value(&answers.directory)?,
            value(&key)?,
            include_str!("fresh/server.sh"),
            name = place.name,
            ssh = place.command("ssh"),
        ))
    }

    /// What a person does next.
    pub fn how_to_go_on(&self, answers: &Choices) -> String {
        let place = Place::of(&answers.host);
        let service = &answers.services[0];
        let https = self
            .domain
            .as_ref()
            .map_or(String::new(), |domain| include_str!("fresh/https.txt").replace("{domain}", domain));
        let secrets = if answers.registry {
            format!(
                "     gh secret set REGISTRY_USERNAME      # of {0}\n     gh secret set REGISTRY_PASSWORD      # a token that may push there\n",
                registry(&service.image)
            )
        } else {
            String::new()
        };
        include_str!("fresh/next.txt")
            .replace("{number}", if https.is_empty() { "4" } else { "5" })
            .replace("{https}", &https)
            .replace("{registry}", &secrets)
            .replace("{ssh}", &place.command("ssh"))
            .replace("{scp}", &place.command("scp"))
            .replace("{user}", user(&place))
            .replace("{login}", &place.login)
            .replace("{known}", &place.known())
            .replace("{name}", &place.name)
            .replace("{directory}", &answers.directory)
            .replace("{key}", &self.key)
    }
}

fn user(place: &Place) -> &str {
    place.user.as_deref().unwrap_or("root")
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "fresh_tests.rs"]
mod tests;
