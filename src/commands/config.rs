//! `cutover config`: the configuration as it holds, and where each value comes from. Secrets are named and never shown.

use super::session::variable;
use super::{Exit, Run, Stop};
use crate::cli::{self, CommonOptions};
use crate::config::{Config, Origin, Setting};
use crate::report::Outcome;
use crate::report::finding;
use crate::router::Router;
use crate::secret::Secret;
use crate::see::Observation;
use serde_json::{Value, json};

/// Prints it.
pub(super) async fn config(run: &Run, common: &CommonOptions, options: &cli::ConfigOptions) -> Result<Exit, Stop> {
    for name in run.config.secret_names() {
        variable(&name).iter().for_each(|value| run.reporter.hide(&Secret::new(value)));
    }
    let mut settings = of_command_line(common);
    settings.extend(Config::explain(&common.config, common.environment.as_deref(), &variable)?);
    if options.find {
        find(run, &mut settings).await?;
    }
    let file = common.config.display().to_string();
    run.reporter.outcome(&Outcome::Config { file, settings });
    Ok(Exit::Done)
}

/// What is no key of the file.
fn of_command_line(common: &CommonOptions) -> Vec<Setting> {
    let given = |name: &str, flag: &'static str, value: &str| match variable(name) {
        Some(given) if given == value => Origin::Variable(name.to_owned()),
        _ => Origin::Flag(flag),
    };
    let file = common.config.display().to_string();
    let by = given("CUTOVER_CONFIG", "--config", &file);
    let by = if file == "cutover.yml" && by == Origin::Flag("--config") { Origin::Default } else { by };
    let mut all = vec![Setting { key: "(file)".to_owned(), value: json!(file), origin: by, set: None }];
    if let Some(name) = &common.environment {
        let origin = given("CUTOVER_ENVIRONMENT", "--environment", name);
        all.push(Setting { key: "(environment)".to_owned(), value: json!(name), origin, set: None });
    }
    all.extend(variable("CUTOVER_VERSION").map(|version| {
        let origin = Origin::Variable("CUTOVER_VERSION".to_owned());
        Setting { key: "(version)".to_owned(), value: json!(version), origin, set: None }
    }));
    all
}

/// Logs in, and says what the hosts have where the file leaves it to them.
async fn find(run: &Run, settings: &mut Vec<Setting>) -> Result<(), Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let looked = run.until_signal(run.look(&hosts, &[])).await??;
    let (mut seen, mut refusals) = (Vec::new(), Vec::new());
    for (host, (observation, findings)) in hosts.iter().zip(looked) {
        match observation {
            Some(observation) => seen.push((host.name.as_str(), observation)),
            None => refusals.extend(findings.iter().map(|found| format!("{}: {}", host.name, finding(found)))),
        }
    }
    if !refusals.is_empty() {
        return Err(Stop::new(Exit::Refused, refusals.join("\n")));
    }
    let filled = settings.drain(..).flat_map(|setting| filled(setting, &seen)).collect();
    *settings = filled;
    Ok(())
}

/// A setting with what was found; one for each host where they differ.
fn filled(setting: Setting, seen: &[(&str, Observation)]) -> Vec<Setting> {
    let found: Vec<(&str, Value)> = match &setting {
        Setting { origin: Origin::Found, value: Value::Null, key, .. } => {
            seen.iter().filter_map(|(host, seen)| Some((*host, value(key, seen)?))).collect()
        }
        _ => Vec::new(),
    };
    let on = |hosts: &str, value: &Value| Setting {
        origin: Origin::Host(hosts.to_owned()),
        value: value.clone(),
        ..setting.clone()
    };
    match found.as_slice() {
        [] => vec![setting],
        [(host, first), others @ ..] if others.iter().all(|(_, other)| other == first) => {
            vec![on(if others.is_empty() { host } else { "every host" }, first)]
        }
        all => all.iter().map(|(host, value)| on(host, value)).collect(),
    }
}

fn value(key: &str, seen: &Observation) -> Option<Value> {
    let (name, key) = match key.strip_prefix("services.") {
        Some(rest) => rest.rsplit_once('.').map(|(name, key)| (Some(name), key))?,
        None => (None, key),
    };
    let service = seen.services.iter().find(|service| name.is_none_or(|name| service.name == name))?;
    Some(match key {
        "slots" => json!(service.slots.each_ref().map(|slot| &slot.service)),
        "upstream" => json!(service.upstream),
        "port" => match service.ports {
            [one, other] if one == other => json!(one),
            several => json!(several),
        },
        "stop-timeout" => json!(crate::config::duration::show(service.stop_timeout)),
        "project" => json!(seen.scope.project),
        "nginx.service" if seen.nginx.kind == Router::Compose => json!(seen.nginx.service),
        "nginx.container" if seen.nginx.kind == Router::Container => json!(seen.nginx.service),
        "nginx.conf" => json!(seen.confs.iter().map(|conf| conf.path.as_str()).collect::<Vec<_>>()),
        _ => return None,
    })
}
