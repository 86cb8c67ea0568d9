//! The reference project on an instance: its files, its first version brought up by hand, its own deploy script.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::app::Image;
use crate::instance::{Instance, Output};
use crate::script::root;

/// How the project differs from the reference; the default is the reference, on nginx 1.30.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it lies.
    pub directory: String,
    /// Tag of the nginx image: `1.26`, `1.30` or `latest`.
    pub nginx: String,
    /// Mount `nginx/default.conf` itself, instead of its directory.
    pub single_file_mount: bool,
    /// Which services there are.
    pub services: Services,
    /// Restart policy of every service.
    pub restart: String,
    /// Containers beside the slots, with names that a careless `grep` takes for them.
    pub extras: Vec<String>,
    /// `stop_grace_period` of blue and green.
    pub stop_grace_period: Option<String>,
    /// The conf instead of the reference's.
    pub conf: Option<String>,
}

/// The services of a project, each with two slots and an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Services {
    /// `blue` and `green` behind the upstream `backend-api`.
    One,
    /// Those under `/api`, and `web-blue` and `web-green` behind the upstream `frontend`: one conf file, and the same
    /// locations once more in a TLS server block (port 443, a self-signed certificate).
    TwoWithTls,
}

/// Which of the reference's deploy scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// As published, one missing newline mended; wants a `service` command in the nginx image.
    Reference,
    /// The same with `nginx -s reload`, which every nginx image has, and `docker compose` where there is no
    /// `docker-compose`. The one that works in the lab.
    Anywhere,
}

/// A project on an instance.
#[derive(Debug)]
pub struct Project {
    /// Where it is.
    pub instance: Instance,
    /// Its options.
    pub options: Options,
    /// Repository of the backend's image.
    pub image: String,
    /// Repository of the frontend's image, where there is one.
    pub web_image: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            directory: "/home/deploy/app/backend".to_owned(),
            nginx: "1.30".to_owned(),
            single_file_mount: false,
            services: Services::One,
            restart: "always".to_owned(),
            extras: Vec::new(),
            stop_grace_period: None,
            conf: None,
        }
    }
}

impl Project {
    /// Writes a project with one service.
    pub fn write(instance: &Instance, image: &str, options: Options) -> Result<Self> {
        Self { instance: instance.clone(), options, image: image.to_owned(), web_image: None }.write_files()
    }

    /// Writes a project with a backend and a frontend, whatever `options.services` says.
    pub fn write_two(instance: &Instance, backend: &str, web: &str, mut options: Options) -> Result<Self> {
        options.services = Services::TwoWithTls;
        Self { instance: instance.clone(), options, image: backend.to_owned(), web_image: Some(web.to_owned()) }
            .write_files()
    }

    /// Where its nginx answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.instance.address)
    }

    /// A path in the project's directory.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.options.directory)
    }

    /// Runs a script in the project's directory, as the user.
    pub fn sh(&self, script: &str) -> Result<Output> {
        self.instance.sh(&format!("cd '{}' && {script}", self.options.directory))
    }

    /// Runs a script in the project's directory and gives its output; failing is an error.
    pub fn ok(&self, script: &str) -> Result<String> {
        self.instance.ok(&format!("cd '{}' && {script}", self.options.directory))
    }

    /// The nginx conf as it is on the host.
    pub fn conf(&self) -> Result<String> {
        self.instance.read(&self.path("nginx/default.conf"))
    }

    /// Brings a first version up in the blue slots by hand, as somebody's own deploy would have, and waits until nginx
    /// serves it. Give one image for each service.
    pub fn bring_up(&self, images: &[&Image]) -> Result<()> {
        for image in images {
            let latest = format!("{}:latest", image.repository);
            self.ok(&format!("docker pull -q {0} && docker tag {0} {latest}", image.by_digest()))?;
        }
        let web = if self.web_image.is_some() { "web-blue" } else { "" };
        let extras = self.options.extras.join(" ");
        self.ok(&format!("docker-compose up -d redis blue {web} {extras} 2>&1"))?;
        self.ok("docker-compose up -d nginx 2>&1")?;
        let version = images.first().map(|image| image.version.as_str()).context("no image")?;
        self.wait_until_serves(version, Duration::from_secs(30))
    }

    /// Waits until a request through nginx is answered by this version.
    pub fn wait_until_serves(&self, version: &str, limit: Duration) -> Result<()> {
        wait_until_serves(&self.url(), version, limit)
    }

    /// The version that answers a request through nginx now; `None` if nothing healthy does.
    pub fn served_version(&self) -> Option<String> {
        self.served_version_at("/")
    }

    /// The same for a path.
    pub fn served_version_at(&self, path: &str) -> Option<String> {
        crate::load::get_version(&self.url(), path).ok().flatten()
    }

    /// Runs the reference's deploy script on the host over OpenSSH, from its first step to its last.
    pub fn deploy_by_script(&self, script: Script) -> Result<Output> {
        let name = if script == Script::Reference { "deploy.sh" } else { "deploy-anywhere.sh" };
        self.sh(&format!("sh ./{name} 2>&1"))
    }

    fn write_files(self) -> Result<Self> {
        let mut files = vec![
            (self.path("docker-compose.yml"), self.compose_file()?),
            (self.path("nginx/default.conf"), self.conf_text()?),
        ];
        for name in [".env", "deploy.sh", "deploy-anywhere.sh"] {
            files.push((self.path(name), reference(name)?));
        }
        self.instance.write_all(&files)?;
        if self.web_image.is_some() {
            self.ok(MAKE_CERTIFICATE)?;
        }
        Ok(self)
    }

    fn conf_text(&self) -> Result<String> {
        match (&self.options.conf, &self.web_image) {
            (Some(conf), _) => Ok(conf.clone()),
            (None, Some(_)) => reference("two-services.conf"),
            (None, None) => reference("nginx/default.conf"),
        }
    }

    fn compose_file(&self) -> Result<String> {
        let options = &self.options;
        let mut text = reference("docker-compose.yml")?
            .replace("image: nginx\n", &format!("image: nginx:{}\n", options.nginx))
            .replace("devrank/backend-api", &self.image)
            .replace("restart: always", &format!("restart: {}", yaml_word(&options.restart)));
        if options.single_file_mount {
            text = text.replace("./nginx/:/etc/nginx/conf.d/", "./nginx/default.conf:/etc/nginx/conf.d/default.conf");
        }
        if let Some(period) = &options.stop_grace_period {
            text = text.replace("    expose:\n", &format!("    stop_grace_period: {period}\n    expose:\n"));
        }
        if let Some(web) = &self.web_image {
            text = text
                .replace("      - '80:80'\n", "      - '80:80'\n      - '443:443'\n")
                .replace("      - ./logs/nginx/", "      - ./certs/:/etc/nginx/certs/:ro\n      - ./logs/nginx/");
            for slot in ["web-blue", "web-green"] {
                text += &slot_service(slot, web, &options.restart);
            }
        }
        options.extras.iter().for_each(|name| text += &slot_service(name, &self.image, &options.restart));
        Ok(text)
    }
}

/// Waits until a request to `/` there is answered by this version.
pub(crate) fn wait_until_serves(url: &str, version: &str, limit: Duration) -> Result<()> {
    let deadline = Instant::now() + limit;
    while crate::load::get_version(url, "/").ok().flatten().as_deref() != Some(version) {
        if Instant::now() > deadline {
            bail!("{url} does not serve {version} after {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn slot_service(name: &str, image: &str, restart: &str) -> String {
    format!(
        "  {name}:\n    image: {image}:latest\n    container_name: {name}\n    restart: {}\n    env_file:\n      \
         - ./.env\n    expose:\n      - 3001\n",
        yaml_word(restart)
    )
}

/// A bare `no` would be a boolean.
fn yaml_word(word: &str) -> String {
    if word == "no" { "'no'".to_owned() } else { word.to_owned() }
}

fn reference(name: &str) -> Result<String> {
    let path = root().join("tests/lab/project").join(name);
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

const MAKE_CERTIFICATE: &str = "mkdir -p certs && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
     -days 30 -subj /CN=lab.example -keyout certs/key.pem -out certs/cert.pem 2>&1";
