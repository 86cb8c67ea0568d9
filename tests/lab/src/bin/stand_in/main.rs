//! An executable that stands in for `docker` and `docker-compose` on a host of the bench, so that 64 hosts fit on one
//! machine. It knows what a deploy asks for and refuses all else; containers are real processes in network namespaces
//! that `tests/lab/bench/stand-in/machine` makes: nginx itself, and a small app.
//!
//! An image is nothing but its version: a digest is the version's bytes in hexadecimal, so a pull needs no registry.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod api;
mod app;
mod compose;
mod container;
mod image;
mod state;
mod template;

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use state::State;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [name, rest @ ..] if name.ends_with("docker-compose") => compose::run(rest),
        [_, rest @ ..] => docker(rest),
        [] => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn docker(words: &[&str]) -> Result<()> {
    match words {
        ["app", version] => return app::serve(version),
        ["compose", rest @ ..] => return compose::run(rest),
        ["system", "dial-stdio"] => return api::serve(),
        ["version", ..] => println!("26.1.5"),
        ["ps", rest @ ..] => list(rest)?,
        ["inspect", "-f", format, names @ ..] => {
            let state = State::read()?;
            for name in names {
                println!("{}", template::render(format, &state.container(name)?.inspect())?);
            }
        }
        ["inspect", names @ ..] => {
            let state = State::read()?;
            let all = names.iter().map(|name| Ok(state.container(name)?.inspect()));
            println!("{}", serde_json::to_string_pretty(&all.collect::<Result<Vec<Value>>>()?)?);
        }
        ["exec", name, command @ ..] => return exec(State::read()?.container(name)?.pid, command),
        ["top", name, "-eo", columns] => State::read()?.container(name)?.top(columns)?,
        ["pull", "-q", reference] => State::change(|state| state.pull(reference))?,
        ["tag", image, name] => State::change(|state| state.tag(image, name))?,
        ["rmi", name] => State::change(|state| state.untag(name))?,
        ["image", "inspect", "-f", "{{.Id}}", name] => println!("{}", State::read()?.image(name)?.id),
        ["image", "inspect", names @ ..] => images(names)?,
        ["update", policy, names @ ..] => {
            let policy = policy.strip_prefix("--restart=").unwrap_or_default();
            State::change(|state| {
                names.iter().try_for_each(|name| {
                    policy.clone_into(&mut state.container_mut(name)?.restart);
                    Ok(())
                })
            })?;
        }
        ["stop", "-t", seconds, names @ ..] => {
            for name in names {
                let exit_code = State::read()?.container(name)?.stop(seconds.parse()?)?;
                State::change(|state| {
                    state.container_mut(name)?.exit_code = exit_code;
                    Ok(())
                })?;
            }
        }
        ["start", names @ ..] => names.iter().try_for_each(|name| compose::start(name))?,
        ["rm", "-f", names @ ..] => {
            for name in names {
                State::read()?.container(name)?.stop(0)?;
                State::change(|state| {
                    state.containers.retain(|container| !container.is(name));
                    Ok(())
                })?;
            }
        }
        ["rm", name] => State::change(|state| {
            ensure!(!state.container(name)?.runs(), "Error: {name} is running");
            state.containers.retain(|container| !container.is(name));
            Ok(())
        })?,
        _ => bail!("the stand-in does not know: docker {}", words.join(" ")),
    }
    Ok(())
}

/// All containers, with the two shapes of the scripts: ids of a service, or a line for each of the project's.
fn list(words: &[&str]) -> Result<()> {
    let service = words.iter().find_map(|word| word.strip_prefix("label=com.docker.compose.service="));
    for container in State::read()?.containers {
        match words {
            ["-aq", "--no-trunc", ..] if service == Some(&container.service) => println!("{}", container.id),
            ["-aq", "--no-trunc", ..] => {}
            ["-a", "--no-trunc", ..] => {
                println!("{} {} {} {}", container.id, container.status(), container.service, container.directory);
            }
            _ => bail!("the stand-in does not know: docker ps {}", words.join(" ")),
        }
    }
    Ok(())
}

/// As docker does: those that are there, and an error if one is not.
fn images(names: &[&str]) -> Result<()> {
    let state = State::read()?;
    let mut found: Vec<&image::Image> = names.iter().filter_map(|name| state.image(name).ok()).collect();
    let all = found.len() == names.len();
    found.dedup_by_key(|image| &image.id);
    let one = |image: &&image::Image| json!({ "Id": image.id, "RepoTags": image.tags, "RepoDigests": image.digests });
    println!("{}", serde_json::to_string_pretty(&found.iter().map(one).collect::<Vec<_>>())?);
    ensure!(all, "Error: No such image");
    Ok(())
}

/// Runs a command where a container's process is: its namespaces and its root.
fn exec(pid: u32, command: &[&str]) -> Result<()> {
    let mut nsenter = Command::new("nsenter");
    nsenter.args(["-t", &pid.to_string(), "-m", "-n", "-r", "--wd=/", "--"]).args(command);
    Err(state::as_root(&mut nsenter).exec().into())
}
