//! `docker compose` (v2), from the project's directory.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::container::Container;
use crate::state::State;

/// Runs a verb.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    match words {
        ["version"] => println!("Docker Compose version 2.26.1"),
        ["config"] => println!("name: {}\n{}", project()?, text()?),
        ["up", "--no-start", "--no-deps", "--no-recreate", "--no-build", "--pull", "never", services @ ..] => {
            for service in services {
                make(service)?;
            }
        }
        ["up", "-d", rest @ ..] => {
            let again = rest.contains(&"--force-recreate");
            for service in rest.iter().filter(|word| !word.starts_with("--")) {
                up(service, again)?;
            }
        }
        _ => bail!("the stand-in does not know: docker compose {}", words.join(" ")),
    }
    Ok(())
}

fn up(service: &str, again: bool) -> Result<()> {
    let known = State::read()?;
    let old = known.container(service).ok();
    if let Some(old) = old {
        if !again && old.runs() {
            return Ok(());
        }
        old.stop(10)?;
    }
    make_anew(service)?;
    start(service)
}

/// A container that does not run yet, where there is none.
fn make(service: &str) -> Result<()> {
    if State::read()?.container(service).is_ok() { Ok(()) } else { make_anew(service) }
}

/// Starts the container of this name or id.
pub(crate) fn start(name: &str) -> Result<()> {
    State::change(|state| {
        let container = state.container_mut(name)?;
        if !container.runs() {
            container.pid = Container::start(&container.service, &container.directory, &container.image)?;
        }
        Ok(())
    })
}

fn make_anew(service: &str) -> Result<()> {
    let known = State::read()?;
    let reference = reference(&text()?, service)?;
    // nginx and redis are no images here
    let image = known.image(&reference).map_or(reference, |image| image.id.clone());
    let directory = std::env::current_dir()?.to_string_lossy().into_owned();
    let created = now()?;
    let id =
        format!("{:0>64}", format!("{:x}{}", std::process::id(), created.replace(|c: char| !c.is_ascii_digit(), "")));
    let container = Container {
        id,
        service: service.to_owned(),
        project: project()?,
        directory,
        image,
        created,
        pid: 0,
        exit_code: 1,
        restart: "always".to_owned(),
    };
    State::change(|state| {
        state.containers.retain(|container| container.service != service);
        state.containers.push(container);
        Ok(())
    })
}

fn text() -> Result<String> {
    fs::read_to_string("docker-compose.yml").context("docker-compose.yml")
}

fn project() -> Result<String> {
    if let Ok(name) = std::env::var("COMPOSE_PROJECT_NAME") {
        return Ok(name);
    }
    let directory = std::env::current_dir()?;
    Ok(directory.file_name().context("no directory")?.to_string_lossy().into_owned())
}

/// The `image:` of a service.
fn reference(text: &str, service: &str) -> Result<String> {
    let mut lines = text.lines().skip_while(|line| *line != format!("  {service}:"));
    let image = lines.find_map(|line| line.strip_prefix("    image: "));
    Ok(image.with_context(|| format!("no such service: {service}"))?.trim().to_owned())
}

/// RFC 3339, to the second and in nanoseconds after it, as the engine writes times.
fn now() -> Result<String> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // days to a date of the proleptic Gregorian calendar, counted in eras of 400 years from 1 March of the year 0
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    Ok(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:09}Z", since.subsec_nanos()))
}
