//! Services, tasks and nodes as the Docker API has them: the parts that a release needs.

use crate::secret::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

/// A version of an object: who updates it says which one he has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Index {
    pub(crate) index: u64,
}

/// A service. Its spec goes back as it came.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Service {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) version: Index,
    pub(crate) spec: Value,
}

/// A task: one container of a service, or what shall become one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Task {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    #[serde(rename = "NodeID")]
    pub(crate) node: String,
    pub(crate) desired_state: String,
    pub(crate) status: TaskStatus,
    pub(crate) networks_attachments: Option<Vec<Attachment>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TaskStatus {
    pub(crate) state: String,
    pub(crate) message: String,
    pub(crate) err: String,
    pub(crate) container_status: Option<ContainerStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContainerStatus {
    #[serde(rename = "ContainerID")]
    pub(crate) id: String,
    #[serde(rename = "PID")]
    pub(crate) pid: i64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Attachment {
    pub(crate) addresses: Option<Vec<String>>,
}

/// A machine of the swarm.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Node {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) spec: NodeSpec,
    pub(crate) description: Description,
    pub(crate) status: NodeStatus,
    pub(crate) manager_status: Option<ManagerStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct NodeSpec {
    pub(crate) availability: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Description {
    pub(crate) hostname: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct NodeStatus {
    pub(crate) state: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ManagerStatus {
    pub(crate) leader: bool,
    pub(crate) reachability: String,
}

impl Service {
    pub(crate) fn name(&self) -> &str {
        self.spec["Name"].as_str().unwrap_or_default()
    }

    /// The image as its tasks get it.
    pub(crate) fn image(&self) -> &str {
        self.spec["TaskTemplate"]["ContainerSpec"]["Image"].as_str().unwrap_or_default()
    }

    /// How many tasks it shall have; `None`: it is not replicated.
    pub(crate) fn replicas(&self) -> Option<u64> {
        self.spec["Mode"].get("Replicated").map(|replicated| replicated["Replicas"].as_u64().unwrap_or(1))
    }

    /// A task on every node.
    pub(crate) fn is_global(&self) -> bool {
        self.spec["Mode"].get("Global").is_some()
    }

    /// Its name means the addresses of its tasks, and none that IPVS would have to spread.
    pub(crate) fn is_dnsrr(&self) -> bool {
        self.spec["EndpointSpec"]["Mode"] == "dnsrr"
    }

    /// Ports that are published by the swarm's own balancing: PUBLISHED.
    pub(crate) fn ingress_ports(&self) -> Vec<u64> {
        let ports = self.spec["EndpointSpec"]["Ports"].as_array();
        let ingress = ports.into_iter().flatten().filter(|port| port["PublishMode"] != "host");
        ingress.filter_map(|port| port["PublishedPort"].as_u64()).collect()
    }

    /// Seconds that a task may take to stop.
    pub(crate) fn stop_grace(&self) -> u64 {
        let nanoseconds = self.spec["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"].as_u64();
        nanoseconds.map_or(10, |nanoseconds| nanoseconds.div_ceil(1_000_000_000))
    }

    /// Directories and volumes that stay on a node when a task goes to another one.
    pub(crate) fn mounts(&self) -> Vec<String> {
        let mounts = self.spec["TaskTemplate"]["ContainerSpec"]["Mounts"].as_array();
        let stays = |mount: &&Value| mount["Type"] == "bind" || mount["Type"] == "volume";
        let target = |mount: &Value| mount["Target"].as_str().map(str::to_owned);
        mounts.into_iter().flatten().filter(stays).filter_map(target).collect()
    }

    /// A label of the service itself; no task has it.
    fn label(&self, name: &str) -> &str {
        self.spec["Labels"][name].as_str().unwrap_or_default()
    }

    /// The variables of its tasks, `NAME=value`.
    fn variables(&self) -> Vec<&str> {
        let all = self.spec["TaskTemplate"]["ContainerSpec"]["Env"].as_array();
        all.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Those of them that came with a release.
    pub(crate) fn values(&self) -> Vec<(String, Secret)> {
        let names: Vec<&str> = self.label(VALUES).split_whitespace().collect();
        let pairs = self.variables().into_iter().filter_map(|variable| variable.split_once('='));
        let ours = pairs.filter(|(name, _)| names.contains(name));
        ours.map(|(name, value)| (name.to_owned(), Secret::new(value))).collect()
    }

    /// Its spec after a change.
    pub(crate) fn with(&self, change: &Change<'_>) -> Value {
        let mut spec = self.spec.clone();
        if let Some(image) = change.image {
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image);
        }
        if let Some(values) = change.values {
            let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
            let earlier: Vec<&str> = self.label(VALUES).split_whitespace().collect();
            let is_own = |variable: &&str| {
                let name = variable.split('=').next().unwrap_or_default();
                !names.contains(&name) && !earlier.contains(&name)
            };
            let own = self.variables().into_iter().filter(is_own).map(str::to_owned);
            let given = values.iter().map(|(name, value)| format!("{name}={}", value.expose()));
            spec["TaskTemplate"]["ContainerSpec"]["Env"] = own.chain(given).collect();
            spec["Labels"][VALUES] = json!(names.join(" "));
        }
        spec["Mode"] = json!({ "Replicated": { "Replicas": change.replicas } });
        spec
    }
}

/// The label with the names of the variables that came with a release.
pub(crate) const VALUES: &str = "cutover.values";

/// What becomes of a service: so many tasks; of this image, and with these variables, where any are given.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Change<'c> {
    pub(crate) replicas: u64,
    pub(crate) image: Option<&'c str>,
    pub(crate) values: Option<&'c [(String, Secret)]>,
}

impl Task {
    /// It runs, and shall.
    pub(crate) fn serves(&self) -> bool {
        self.desired_state == "running" && self.status.state == "running"
    }

    /// It has come to its end, whether that was wanted or not.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.status.state.as_str(), "complete" | "shutdown" | "failed" | "rejected" | "remove" | "orphaned")
    }

    /// It ended by itself.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.status.state.as_str(), "failed" | "rejected")
    }

    /// Its container.
    pub(crate) fn container(&self) -> Option<&ContainerStatus> {
        self.status.container_status.as_ref().filter(|container| !container.id.is_empty())
    }

    /// Its addresses on the swarm's networks, without their masks.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let all = self.networks_attachments.iter().flatten().flat_map(|each| each.addresses.iter().flatten());
        all.filter_map(|address| address.split('/').next()).map(str::to_owned).collect()
    }
}

impl Node {
    pub(crate) fn is_ready(&self) -> bool {
        self.status.state == "ready"
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.description.hostname
    }
}

/// What stands behind the last colon of a reference that has a tag: `v1.2.0` of `REPOSITORY:v1.2.0@sha256:…`.
pub(crate) fn tag(reference: &str) -> Option<&str> {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    name.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag)
}

/// The digest of a reference that has one.
pub(crate) fn digest(reference: &str) -> Option<&str> {
    reference.split_once('@').map(|(_, digest)| digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_changed_in_its_image_and_its_number_of_tasks_alone() {
        let text = r#"{"ID":"a","Version":{"Index":7},"Spec":{"Name":"s_blue","Labels":{"x":"y"},"Unknown":[1],
            "TaskTemplate":{"ContainerSpec":{"Image":"r:5000/a:v1@sha256:1","StopGracePeriod":1500000000,"Env":["A=1"]}},
            "Mode":{"Replicated":{"Replicas":3}},"EndpointSpec":{"Mode":"dnsrr"}}}"#;
        let service: Service = serde_json::from_str(text).expect("reads");
        assert_eq!((service.replicas(), service.stop_grace(), service.is_dnsrr()), (Some(3), 2, true));
        let mut expected = service.spec.clone();
        expected["TaskTemplate"]["ContainerSpec"]["Image"] = json!("b");
        expected["Mode"]["Replicated"]["Replicas"] = json!(0);
        let change = Change { image: Some("b"), ..Change::default() };
        assert_eq!(service.with(&change), expected);
    }

    #[test]
    fn values_of_a_release_replace_those_of_the_one_before_and_no_others() {
        let text = r#"{"ID":"a","Version":{"Index":7},"Spec":{"Name":"s_blue",
            "TaskTemplate":{"ContainerSpec":{"Image":"a","Env":["OWN=1","OLD=2","NEW=3"]}},
            "Labels":{"cutover.values":"OLD"},"Mode":{"Replicated":{"Replicas":0}}}}"#;
        let mut service: Service = serde_json::from_str(text).expect("reads");
        assert_eq!(service.values(), [("OLD".to_owned(), Secret::new("2"))]);
        let values = [("NEW".to_owned(), Secret::new("pa$1=x"))];
        service.spec = service.with(&Change { values: Some(&values), ..Change::default() });
        assert_eq!(service.spec["TaskTemplate"]["ContainerSpec"]["Env"], json!(["OWN=1", "NEW=pa$1=x"]));
        assert_eq!(service.values(), values);
    }

    #[test]
    fn references_have_a_tag_and_a_digest_or_not() {
        assert_eq!(tag("r:5000/a:v1@sha256:1"), Some("v1"));
        assert_eq!((tag("r:5000/a@sha256:1"), digest("r:5000/a@sha256:1")), (None, Some("sha256:1")));
        assert_eq!((tag("a"), digest("a:1")), (None, None));
    }
}
