//! The swarm's API over whichever manager answers.

use super::objects::{Node, Service, Task};
use crate::awake;
use crate::host::Host;
use crate::host::engine::{Engine, Refused, in_query};
use anyhow::{Context as _, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A leader is chosen within some seconds once the old one is gone.
const WITHOUT_LEADER: Duration = Duration::from_secs(40);

/// One host, as its engine describes it.
pub(crate) struct Member<'a> {
    pub(crate) host: &'a Host,
    pub(crate) engine: Engine,
    /// The node that it is; empty: none of a swarm.
    pub(crate) node: String,
    /// It is a manager.
    pub(crate) is_manager: bool,
    /// `/v1.44`, or what an older engine speaks.
    prefix: &'static str,
    /// Its version.
    pub(crate) version: String,
}

/// The swarm, over its managers among the hosts.
pub(crate) struct Api<'a> {
    pub(crate) members: Vec<Member<'a>>,
    at: AtomicUsize,
}

impl<'a> Member<'a> {
    async fn of(host: &'a Host) -> Result<Member<'a>> {
        let engine = host.engine()?;
        let info = engine.get("/info").await.with_context(|| format!("{}: docker can't be asked", host.name))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let version = text(&info["ServerVersion"]);
        let major: usize = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        Ok(Member {
            host,
            engine,
            node: text(&info["Swarm"]["NodeID"]),
            is_manager: info["Swarm"]["ControlAvailable"] == true,
            prefix: if major >= 25 { "/v1.44" } else { "/v1.41" },
            version,
        })
    }

    /// GET of what this engine alone knows.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let value = self.engine.get(&format!("{}{path}", self.prefix)).await;
        let value = value.with_context(|| format!("{}: docker can't be asked for {path}", self.host.name))?;
        serde_json::from_value(value).with_context(|| format!("{}: {path} can't be read", self.host.name))
    }
}

impl<'a> Api<'a> {
    /// Asks every host who it is.
    pub(crate) async fn of(hosts: &'a [Host]) -> Result<Api<'a>> {
        let members = futures_util::future::try_join_all(hosts.iter().map(Member::of)).await?;
        let at = members.iter().position(|member| member.is_manager).unwrap_or(0);
        Ok(Api { members, at: AtomicUsize::new(at) })
    }

    /// Whether any host is a manager.
    pub(crate) fn has_manager(&self) -> bool {
        self.members.iter().any(|member| member.is_manager)
    }

    /// Asks one manager after the other until one answers. A body is sent again as well: what is written names the version
    /// that it was made from, and what is made has a name that is there once.
    async fn call(&self, path: &str, what: What<'_>) -> Result<Value> {
        let managers: Vec<&Member<'_>> = self.members.iter().filter(|member| member.is_manager).collect();
        if managers.is_empty() {
            bail!("none of the hosts is a manager of the swarm");
        }
        let began = Instant::now();
        loop {
            let at = self.at.load(Ordering::Relaxed) % managers.len();
            let manager = managers[at];
            let whole = format!("{}{path}", manager.prefix);
            let answer = match what {
                What::Get => manager.engine.get(&whole).await,
                What::Post(body, auth) => manager.engine.post(&whole, body, auth).await,
                What::Delete => manager.engine.delete(&whole).await,
            };
            let error = match answer {
                Ok(value) => return Ok(value),
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => error,
            };
            self.at.store(at + 1, Ordering::Relaxed);
            if began.elapsed() > WITHOUT_LEADER {
                return Err(error.context(format!("no manager of the swarm answers, {} the last", manager.host.name)));
            }
            awake::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn list<T: DeserializeOwned>(&self, what: &str, filters: &Value) -> Result<Vec<T>> {
        let path = format!("/{what}?filters={}", in_query(&filters.to_string()));
        let value = self.call(&path, What::Get).await.with_context(|| format!("the swarm's {what} can't be listed"))?;
        serde_json::from_value(value).with_context(|| format!("the swarm's {what} can't be read"))
    }

    /// The services of a stack.
    pub(crate) async fn services(&self, stack: &str) -> Result<Vec<Service>> {
        self.list("services", &json!({ "label": [format!("com.docker.stack.namespace={stack}")] })).await
    }

    /// One service as it is now.
    pub(crate) async fn service(&self, id: &str) -> Result<Service> {
        let value = self.call(&format!("/services/{id}"), What::Get).await.context("a service can't be looked at")?;
        serde_json::from_value(value).context("a service can't be read")
    }

    /// Makes a service what `spec` says, if it is still of this version.
    pub(crate) async fn update(&self, id: &str, version: u64, spec: &Value, auth: Option<&str>) -> Result<()> {
        self.call(&format!("/services/{id}/update?version={version}"), What::Post(spec, auth)).await.map(drop)
    }

    /// Makes a service; its id.
    pub(crate) async fn create(&self, spec: &Value, auth: Option<&str>) -> Result<String> {
        let made = self.call("/services/create", What::Post(spec, auth)).await?;
        Ok(made["ID"].as_str().context("a service was made without an id")?.to_owned())
    }

    /// Removes a service, by its name or id, where there is one.
    pub(crate) async fn remove(&self, service: &str) -> Result<()> {
        match self.call(&format!("/services/{service}"), What::Delete).await {
            Err(error) if refused(&error).is_none_or(|refused| refused.status != 404) => Err(error),
            _ => Ok(()),
        }
    }

    /// The tasks of a service, those that are over too.
    pub(crate) async fn tasks(&self, service: &str) -> Result<Vec<Task>> {
        self.list("tasks", &json!({ "service": [service] })).await
    }

    /// The nodes of the swarm.
    pub(crate) async fn nodes(&self) -> Result<Vec<Node>> {
        self.list("nodes", &json!({})).await
    }

    /// The digest that a registry has for a reference, as a manager sees it.
    pub(crate) async fn digest(&self, reference: &str, auth: Option<&str>) -> Result<String> {
        let manager = self.members.iter().find(|member| member.is_manager).context("no manager")?;
        let path = format!("{}/distribution/{reference}/json", manager.prefix);
        let value = manager.engine.get_with(&path, auth).await.map_err(|error| {
            anyhow!("{reference} is not to be had from its registry, as {} sees it: {error:#}", manager.host.name)
        })?;
        let digest = value["Descriptor"]["digest"].as_str().context("the registry has no digest")?;
        Ok(digest.to_owned())
    }

    /// The swarm's object of this name; `None`: there is none.
    pub(crate) async fn config(&self, name: &str) -> Result<Option<Value>> {
        match self.call(&format!("/configs/{name}"), What::Get).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if refused(&error).is_some_and(|refused| refused.status == 404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes one; `false`: there is one of this name already.
    pub(crate) async fn make_config(&self, spec: &Value) -> Result<bool> {
        match self.call("/configs/create", What::Post(spec, None)).await {
            Ok(_) => Ok(true),
            Err(error) if refused(&error).is_some_and(|refused| refused.status == 409) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Changes its labels, if it is still of this version.
    pub(crate) async fn update_config(&self, id: &str, version: u64, spec: &Value) -> Result<()> {
        self.call(&format!("/configs/{id}/update?version={version}"), What::Post(spec, None)).await.map(drop)
    }
}

/// What is asked of a manager. A body goes with the registry's login, where it needs one.
#[derive(Clone, Copy)]
enum What<'w> {
    Get,
    Post(&'w Value, Option<&'w str>),
    Delete,
}

/// The engine's own word, if the error is one.
pub(crate) fn refused(error: &anyhow::Error) -> Option<&Refused> {
    error.downcast_ref()
}

/// Another manager would say the same.
fn is_final(error: &anyhow::Error) -> bool {
    let Some(refused) = refused(error) else { return false };
    let leaderless = ["does not have a leader", "not a swarm manager", "deadline exceeded", "connection"];
    refused.status < 500 || !leaderless.iter().any(|words| refused.message.contains(words))
}
