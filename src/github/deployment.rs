//! The deployment of a version to an environment: in progress, then success or failure; those before it inactive.
//!
//! A job with `environment:` has a deployment already, which the runner itself begins and ends. It is recognised by the
//! run that its status links to, and then no second one is made: its id is used, and nothing is written to it.

use super::client::{Call, GitHub};
use super::error::{Purpose, Trouble};
use reqwest::Method;
use serde_json::{Value, json};

/// A deployment that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: u64,
    /// Its environment.
    pub environment: String,
    /// Whether it is this run's to end; else the runner's.
    pub own: bool,
    url: Option<String>,
}

/// How a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The version is live.
    Success,
    /// It is not.
    Failure,
}

const NEEDS: &str = "deployments: write";
/// How many earlier deployments are looked at.
const EARLIER: &str = "20";

impl GitHub {
    /// Begins a deployment of `reference` (a commit or tag), or finds the one that this job has. `url` is where the
    /// environment is to be seen.
    pub async fn deploy(
        &self,
        reference: &str,
        environment: &str,
        version: &str,
        url: Option<&str>,
    ) -> Result<Deployment, Trouble> {
        let made = |id, own| Deployment { id, environment: environment.to_owned(), own, url: url.map(str::to_owned) };
        let mark = self.mark(environment, version);
        let mut known = self.list(&[("sha", &self.place.commit), ("per_page", EARLIER)]).await?;
        if let Some(id) = self.of_the_job(&known, environment).await? {
            return Ok(made(id, false));
        }
        let mut tries = 1;
        let id = loop {
            if let Some(ours) = known.iter().find(|one| marked(one, &mark)) {
                break ours["id"].as_u64().unwrap_or_default();
            }
            match self.create_deployment(reference, environment, version, &mark).await {
                Ok(id) => break id,
                // the answer may be lost and the deployment made: look before asking once more
                Err(trouble) if tries < 3 && trouble.status.is_none_or(|status| status >= 500 || status == 429) => {
                    tokio::time::sleep(std::time::Duration::from_millis(500 * tries)).await;
                    known = self.list(&[("sha", &self.place.commit), ("per_page", EARLIER)]).await?;
                    tries += 1;
                }
                Err(trouble) => return Err(trouble),
            }
        };
        let deployment = made(id, true);
        self.status(&deployment, "in_progress", &format!("releasing {version}")).await?;
        Ok(deployment)
    }

    /// Ends a deployment. On success those before it in the environment become inactive: GitHub does that by itself only
    /// where the environment is not a production environment.
    pub async fn end(&self, deployment: &Deployment, ended: Ended, description: &str) -> Result<(), Trouble> {
        if !deployment.own {
            return Ok(());
        }
        let state = if ended == Ended::Success { "success" } else { "failure" };
        self.status(deployment, state, description).await?;
        if ended == Ended::Success {
            self.retire_before(deployment).await?;
        }
        Ok(())
    }

    async fn retire_before(&self, deployment: &Deployment) -> Result<(), Trouble> {
        let all = self.list(&[("environment", &deployment.environment), ("per_page", EARLIER)]).await?;
        for id in all.iter().filter_map(|one| one["id"].as_u64()).filter(|id| *id < deployment.id) {
            let last = self.statuses(id).await?.into_iter().next();
            match last.as_ref().and_then(|last| last["state"].as_str()) {
                Some("success") => {
                    let earlier = Deployment { id, url: None, ..deployment.clone() };
                    self.status(&earlier, "inactive", "a later version is live").await?;
                }
                // those before it were retired by the one that retired it
                Some("inactive") => break,
                _ => {}
            }
        }
        Ok(())
    }

    /// The deployment that the runner made for this job: under way, and linked to this run. The environments' names may
    /// differ, but then it must be the only one.
    async fn of_the_job(&self, known: &[Value], environment: &str) -> Result<Option<u64>, Trouble> {
        let Some(job) = &self.place.job else { return Ok(None) };
        let link = format!("/actions/runs/{}/", job.run);
        let mut found = Vec::new();
        for one in known.iter().filter(|one| payload(one)["cutover"].is_null()) {
            let Some(id) = one["id"].as_u64() else { continue };
            let last = self.statuses(id).await?.into_iter().next().unwrap_or_default();
            let linked = ["log_url", "target_url"].iter().any(|key| {
                last[*key].as_str().is_some_and(|url| url.contains(&link) || url.ends_with(link.trim_end_matches('/')))
            });
            if linked && matches!(last["state"].as_str(), Some("in_progress" | "queued" | "pending" | "waiting")) {
                found.push((id, one["environment"] == environment));
            }
        }
        let same = found.iter().find(|(_, same)| *same);
        let only = found.first().filter(|_| found.len() == 1);
        Ok(same.or(only).map(|(id, _)| *id))
    }

    async fn create_deployment(&self, reference: &str, to: &str, version: &str, mark: &str) -> Result<u64, Trouble> {
        let body = json!({
            "ref": reference,
            "environment": to,
            "description": version,
            "auto_merge": false,
            "required_contexts": [],
            "payload": { "cutover": mark, "version": version },
        });
        let purpose = Purpose { what: format!("create a deployment to {to}"), needs: NEEDS };
        let ask = Call { purpose, method: Method::POST, path: &["deployments"], query: &[], body: Some(body) };
        let made = self.ask_once(&ask).await?.expect(&ask.purpose, &[201])?;
        Ok(made["id"].as_u64().unwrap_or_default())
    }

    async fn status(&self, deployment: &Deployment, state: &str, description: &str) -> Result<(), Trouble> {
        let mut body = json!({
            "state": state,
            "description": description.chars().take(140).collect::<String>(),
            "auto_inactive": true,
        });
        if let Some(job) = &self.place.job {
            body["log_url"] = job.url.clone().into();
        }
        if let Some(url) = &deployment.url {
            body["environment_url"] = url.clone().into();
        }
        let id = deployment.id.to_string();
        let purpose = Purpose { what: format!("say that deployment {id} is {state}"), needs: NEEDS };
        let path = ["deployments", &id, "statuses"];
        let ask = Call { purpose, method: Method::POST, path: &path, query: &[], body: Some(body) };
        self.ask(&ask).await?.expect(&ask.purpose, &[201]).map(drop)
    }

    async fn list(&self, query: &[(&str, &str)]) -> Result<Vec<Value>, Trouble> {
        let purpose = Purpose { what: "list the deployments".to_owned(), needs: NEEDS };
        let ask = Call { purpose, method: Method::GET, path: &["deployments"], query, body: None };
        let list = self.ask(&ask).await?.expect(&ask.purpose, &[200])?;
        Ok(list.as_array().cloned().unwrap_or_default())
    }

    /// Newest first.
    async fn statuses(&self, id: u64) -> Result<Vec<Value>, Trouble> {
        let id = id.to_string();
        let purpose = Purpose { what: format!("read the state of deployment {id}"), needs: NEEDS };
        let path = ["deployments", &id, "statuses"];
        let ask = Call { purpose, method: Method::GET, path: &path, query: &[("per_page", "5")], body: None };
        let list = self.ask(&ask).await?.expect(&ask.purpose, &[200])?;
        Ok(list.as_array().cloned().unwrap_or_default())
    }

    /// What tells this run's deployment from others of the same commit.
    fn mark(&self, environment: &str, version: &str) -> String {
        let run = self.place.job.as_ref().map_or_else(
            || format!("{:?}", std::time::SystemTime::now()),
            |job| format!("{}/{}", job.run, job.attempt),
        );
        format!("{run} {environment} {version}")
    }
}

fn marked(deployment: &Value, mark: &str) -> bool {
    payload(deployment)["cutover"] == mark
}

/// GitHub gives a payload as an object, or as the text of one.
fn payload(deployment: &Value) -> Value {
    match &deployment["payload"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        object => object.clone(),
    }
}
