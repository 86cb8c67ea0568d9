//! What each step of a plan will do, for people.

use super::evidence::Evidence;
use super::plan::{Plan, ServicePlan};
use super::story::{self, Step};
use crate::config::HostHook;
use crate::host::compose::Condition;

impl Plan {
    /// The steps, in order.
    pub fn steps(&self) -> Vec<Step> {
        story::steps(self)
    }

    /// What a step will do on this host and why, for people.
    pub fn explain(&self, step: Step) -> String {
        let each =
            |text: &dyn Fn(&ServicePlan) -> String| self.services.iter().map(text).collect::<Vec<_>>().join(", ");
        let to = || each(&|s| s.to.slot.clone());
        match step {
            Step::Pull => each(&|s| match s.present {
                Some(_) => format!("{} is on the host already", s.pull),
                None if s.ship => format!("send {} over SSH, the layers that the host lacks", s.pull),
                None => format!("bring {} to the host", s.pull),
            }),
            Step::EnvFile => format!("write {}", self.env_file.as_deref().unwrap_or_default()),
            Step::Hook => self.hook.as_ref().map_or_else(String::new, |hook| {
                format!("run {} in the new image, at most {} s", hook.command.join(" "), hook.timeout.as_secs())
            }),
            Step::BeforeSwitch => host_hook(self.before_switch.as_ref()),
            Step::AfterSwitch => host_hook(self.after_switch.as_ref()),
            Step::Start if self.services.iter().all(|service| service.to.kept.is_some()) => {
                format!("start the kept {} again", to())
            }
            Step::Start => {
                let needs = self.needs.iter().map(|need| format!("start {need}, "));
                let first = self.first.iter().map(|first| match first.condition {
                    Condition::Completed => format!("run {} to its end, ", first.service),
                    _ => format!("wait until {} is healthy, ", first.service),
                });
                let before: String = needs.chain(first).collect();
                let then = if before.is_empty() { "" } else { "then " };
                format!("{before}{then}start {} on {}", to(), self.version)
            }
            Step::Guard => "let idle keep-alive connections outlive a reload of nginx".to_owned(),
            Step::Health => each(&|s| format!("until {} answers GET {} on port {}", s.to.slot, s.health.path, s.port)),
            Step::Route => each(&|s| format!("point upstream {} at {}", s.upstream, s.to.host)),
            Step::NginxUp => format!("start {}", self.nginx.service),
            Step::Confirm => each(&|s| match s.evidence {
                Evidence::Probe | Evidence::Other | Evidence::Untried => {
                    format!("see requests through nginx reach {}", s.to.slot)
                }
                Evidence::Clients => format!("see clients' requests reach {}", s.to.slot),
                Evidence::Workers => format!("see that nginx's new workers know {} alone", s.to.slot),
            }),
            Step::Bake => self.bake.as_ref().map_or_else(String::new, |bake| {
                format!("watch the answers through nginx for {} s", bake.duration.as_secs())
            }),
            Step::Drain => format!("let nginx's old workers finish, at most {} s", self.drain_timeout.as_secs()),
            Step::Retire => {
                let from = self.services.iter().filter_map(|s| s.from.as_ref());
                let from = from.map(|old| match &old.version {
                    Some(version) => format!("{} ({version})", old.slot),
                    None => old.slot.clone(),
                });
                let from = from.collect::<Vec<_>>().join(", ");
                match self.remove_old {
                    true => format!("stop and remove {from}; the image stays for a rollback"),
                    false => format!("stop {from} and keep it for a rollback"),
                }
            }
            Step::Record => "write the release into the host's history".to_owned(),
        }
    }
}

fn host_hook(hook: Option<&HostHook>) -> String {
    hook.map_or_else(String::new, |hook| {
        format!("run {} on the host, at most {} s", hook.command.join(" "), hook.timeout.as_secs())
    })
}
