//! `cutover init`: looks at the repository, asks what it can't see, and writes what is missing.

use super::{Exit, Stop, ask, init_new};
use crate::cli;
use crate::config::Config;
use crate::init::{
    ACTION, COMPOSE, CONF, Choices, ChosenService, KEEPALIVE, One, Pair, ProjectFound, configuration, how_to_go_on,
    look, pinned, workflow,
};
use crate::report::{Level, Outcome, Reporter};
use crate::see::GUARD;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Writes cutover.yml, the workflow and, if asked for, a conf. A file that is there stays as it is.
pub(super) fn init(reporter: &Reporter, common: &cli::CommonOptions, options: &cli::InitOptions) -> Result<Exit, Stop> {
    let root = common.config.parent().unwrap_or(Path::new("")).to_owned();
    let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
    if options.new {
        init_new::refuse_old(&root)?;
    }
    let mut found = look(&root);
    if options.new {
        found.remarks.clear();
    }
    for remark in &found.remarks {
        reporter.note(Level::Warning, "", remark.clone());
    }
    let mut answers = answers(&root, &found, options)?;
    let text = configuration(&answers);
    Config::parse(&text, &common.config.to_string_lossy(), None)
        .map_err(|error| Stop::new(Exit::Usage, format!("with these answers, {error}")))?;
    let workflow_file = root.join(".github/workflows/deploy.yml");
    if options.action.is_none() && !workflow_file.exists() {
        answers.action = pinned().unwrap_or_else(|| not_pinned(reporter));
    }
    let mut files = vec![(common.config.clone(), text), (workflow_file, workflow(&answers))];
    if options.keepalive_conf {
        let Some(directory) = &found.conf_directory else {
            let message =
                "--keepalive-conf: no directory is mounted at /etc/nginx/conf.d here, so there is no place for it";
            return Err(Stop::new(Exit::Usage, message));
        };
        files.push((root.join(directory).join(GUARD), KEEPALIVE.to_owned()));
    }
    let image = answers.services.first().map_or("", |service| service.image.as_str());
    let mut next = how_to_go_on(&answers);
    if options.new {
        let (more, then) = init_new::prepare(reporter, &root, &found, &answers, options)?;
        files.extend(more);
        next = then;
    } else if let Some(one) = &found.one {
        let beside = |name: &str| root.join(one.file.parent().unwrap_or(Path::new(""))).join(name);
        files.push((beside(COMPOSE), one.compose_file(image)));
        files.extend(one.has_new_nginx().then(|| (beside(CONF), one.conf())));
        next = one.steps(image, &answers.host, &answers.directory) + &next;
    }
    let mut ended = Vec::new();
    for (path, text) in files {
        let new = write_new(&path, &text)
            .map_err(|error| Stop::new(Exit::Usage, format!("{} can't be written: {error}", path.display())))?;
        ended.push((path.display().to_string(), new));
    }
    let written = ended.iter().filter(|(_, new)| *new).map(|(path, _)| path.clone()).collect();
    reporter.outcome(&Outcome::Init { written, found: found.pairs.len(), files: ended, next });
    Ok(Exit::Done)
}

/// The action by its major tag, and what a person should know of that.
fn not_pinned(reporter: &Reporter) -> String {
    let repository = env!("CARGO_PKG_REPOSITORY");
    let message = format!(
        "{repository} did not say which commit its tag is, so the workflow names the action by the tag v1, which can move. \
         To pin it, put the commit there that `git ls-remote {repository} v1` prints"
    );
    reporter.note(Level::Warning, "", message);
    ACTION.to_owned()
}

/// Whether the file is new now.
fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// From flags, else from a person, else an error that names every flag that is missing.
fn answers(root: &Path, found: &ProjectFound, options: &cli::InitOptions) -> Result<Choices, Stop> {
    let mut missing = Vec::new();
    let mut get = |flag: &str, given: &Option<String>, question: &str, usual: &str| {
        let answer = match given {
            Some(given) => given.clone(),
            None if ask::is_person_there() => ask::text(question, usual),
            None => usual.to_owned(),
        };
        if answer.is_empty() {
            missing.push(format!("{flag} ({question})"));
        }
        answer
    };
    let usual = found.pairs.first().map(|pair| pair.image.clone());
    let usual = usual.or_else(|| found.one.as_ref()?.image.clone());
    let usual = usual.or_else(|| options.new.then(|| init_new::image(root))).unwrap_or_default();
    let image = match &found.pairs[..] {
        [_, _, ..] if options.image.is_none() => String::from("several"),
        _ => get("--image", &options.image, "The image, without a tag", &usual),
    };
    let host = get("--host", &options.host, "The host, as USER@HOST", "");
    let usual = if options.new { init_new::directory(&host, &image) } else { String::new() };
    let directory = get("--directory", &options.directory, "The directory of the compose file on the host", &usual);
    if let Some(unknown) = found.pairs.iter().find(|pair| pair.image.is_empty() && image == "several") {
        let [one, two] = &unknown.slots;
        missing.push(format!("an `image:` for {one} and {two} in the compose file, or --image for one service"));
    }
    if !missing.is_empty() {
        let message =
            format!("not enough was found here, and there is no terminal to ask on; give {}", missing.join(", "));
        return Err(Stop::new(Exit::Usage, message));
    }
    let health = options.health.clone().or_else(|| {
        let path = ask::is_person_there().then(|| ask::text("The path of the health check", "/"));
        path.filter(|path| path != "/")
    });
    Ok(Choices {
        host,
        directory,
        registry: image.contains('/') || image == "several",
        compose_files: found.one.iter().flat_map(One::compose_files).collect(),
        services: services(found, options, &image),
        health,
        branch: options.branch.clone().or_else(|| found.branch.clone()).unwrap_or_else(|| "main".to_owned()),
        action: options.action.clone().unwrap_or_else(|| ACTION.to_owned()),
    })
}

fn services(found: &ProjectFound, options: &cli::InitOptions, image: &str) -> Vec<ChosenService> {
    if found.pairs.len() > 1 && options.image.is_none() {
        return found.pairs.iter().map(|pair| service(found, options, pair, &pair.image)).collect();
    }
    let unknown = Pair { slots: ["blue".to_owned(), "green".to_owned()], upstream: None, image: image.to_owned() };
    vec![service(found, options, found.pairs.first().unwrap_or(&unknown), image)]
}

fn service(found: &ProjectFound, options: &cli::InitOptions, pair: &Pair, image: &str) -> ChosenService {
    let name = pair.upstream.clone().unwrap_or_else(|| image.rsplit('/').next().unwrap_or(image).to_owned());
    let context = options.context.clone().or_else(|| context(found, image));
    let context = context.filter(|context| !matches!(context.as_str(), "" | "."));
    ChosenService { name, image: image.to_owned(), context, slots: pair.slots.clone(), upstream: pair.upstream.clone() }
}

/// The only Dockerfile's directory, or the one whose name is part of the image's.
fn context(found: &ProjectFound, image: &str) -> Option<String> {
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let last = image.rsplit('/').next().unwrap_or(image);
    let named = |path: &&PathBuf| path.file_name().is_some_and(|name| last.contains(&*name.to_string_lossy()));
    match &found.contexts[..] {
        [only] => Some(text(only)),
        several => several.iter().find(named).map(text),
    }
}
