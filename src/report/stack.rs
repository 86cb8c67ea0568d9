//! A stack on a swarm, in lines for people.

use super::fleet;
use super::outcome::{StackNode, StackPlan, StackSlot, StackStatus};
use jiff::Timestamp;

/// What a release would do.
pub(super) fn plan(plan: &StackPlan) -> String {
    let StackPlan { version, source, stack, steps, changes } = plan;
    let mut text = format!("{version} (from {source}) would be released so:\n  on the stack {stack}:\n");
    for step in steps {
        text += &format!("    {:<8} {}\n", step.step, step.text);
    }
    for change in changes {
        text += &format!("    {} {}\n      - {}\n      + {}\n", change.host, change.place, change.before, change.after);
    }
    text
}

/// What is live: through each nginx, then the tasks and the nodes, then what somebody should know.
pub(super) fn status(status: &StackStatus, now: Timestamp) -> String {
    let slots: String = status.slots.iter().map(slot).collect();
    let nodes: Vec<String> = status.nodes.iter().map(node).collect();
    let differs: String = status.differs.iter().map(|text| format!("! {text}\n")).collect();
    format!("{}{slots}  nodes: {}\n{differs}", fleet::status(&status.hosts, &[], now), nodes.join(", "))
}

fn slot(slot: &StackSlot) -> String {
    let on = if slot.running.is_empty() { String::new() } else { format!(" on {}", slot.running.join(", ")) };
    format!("  {}: {} of {} tasks{on}, {}\n", slot.slot, slot.running.len(), slot.replicas, short(&slot.image))
}

/// An image without most of its digest.
fn short(image: &str) -> String {
    match image.split_once('@') {
        Some((name, digest)) => format!("{name}@{}", fleet::digest(Some(digest))),
        None => image.to_owned(),
    }
}

fn node(node: &StackNode) -> String {
    let kind = match (node.leader, node.manager) {
        (true, _) => " (leads)",
        (_, true) => " (manager)",
        _ => "",
    };
    let down = if !node.ready {
        " DOWN"
    } else if !node.active {
        " drained"
    } else {
        ""
    };
    format!("{}{kind}{down}", node.node)
}
