//! A release that was not confirmed is put back: nginx first, and the new tasks go only once no nginx names them.

use super::plan::Plan;
use super::run::{End, Failed, Work};
use super::store::Phase;
use super::{evidence, slots};
use crate::host::lock::Overtaken;
use crate::host::{Kind, Unnamed, kind};
use crate::report::stop::{Reason, by_host};
use crate::swap::execute::Failure;
use crate::swap::history::Outcome;
use anyhow::Result;

/// What a failure after the switch comes to where going back is unsafe.
pub(crate) const IRREVERSIBLE: &str = "the new version was left in place: the release's own command ran, and it is marked irreversible, so the old code may \
     not work any more. `cutover recover --finish` keeps the new version, `cutover recover --put-back` goes back all the same";

impl Work<'_, '_> {
    /// Everything as it was: nginx first, and the new tasks go only once every nginx is seen not to name them.
    pub(super) async fn put_back(&self, phase: Option<Phase>, error: anyhow::Error) -> End {
        let causes = match error.downcast::<Failed>() {
            Ok(Failed(causes)) => causes,
            Err(error) => vec![Reason::new(&self.seen.stack, Unnamed(&error).to_string())],
        };
        let signal = self.cancel.raised();
        let reason = by_host(&causes).join("\n");
        let left = match phase {
            None => Vec::new(),
            Some(phase) if phase >= Phase::Route && self.plan.is_irreversible() && signal.is_none() => {
                vec![Reason::new(&self.seen.stack, IRREVERSIBLE)]
            }
            Some(phase) => match self.undo(phase, &reason).await {
                Ok(left) => left,
                Err(overtaken) => return End::Overtaken(overtaken),
            },
        };
        End::Failed(Failure { causes, left, signal })
    }

    /// Undoes a release that was not confirmed. What could not be undone comes back.
    pub(crate) async fn undo(&self, phase: Phase, reason: &str) -> Result<Vec<Reason>, Overtaken> {
        self.reporter.phase("Put back");
        let Plan { from, to, .. } = self.plan;
        if phase >= Phase::Route {
            // whoever goes on with it must do the same
            if let Err(error) = self.store.phase(self.plan, Phase::Route).await {
                return self.left_alone(error);
            }
            let text = format!("point nginx at {} again", from.word);
            let back = self.on_edges("route", text, async |edge| {
                let said = edge.route(from.slot, self.fence).await?;
                edge.drain(self.plan.drain_timeout, self.fence).await?;
                Ok(said)
            });
            if let Err(error) = back.await {
                if let Kind::Overtaken(overtaken) = kind(&error) {
                    return Err(overtaken.clone());
                }
                let mut left = error.downcast::<Failed>().map_or_else(|_| Vec::new(), |Failed(left)| left);
                let text = format!(
                    "its nginx may still name {}, so both slots keep their tasks; `cutover recover` when it is back",
                    to.called
                );
                left.iter_mut().for_each(|left| left.why = format!("{}\n{text}", left.why));
                return Ok(left);
            }
            if let Err(error) = self.is_back().await {
                return self.left_alone(error);
            }
        }
        if let Err(error) = self.remove_hook().await {
            return self.left_alone(error);
        }
        let stopped = async { slots::stop(self.seen.api, &to.service).await.map(|_| String::new()) };
        let ended = async {
            self.step("start", format!("{} → 0 tasks", to.called), stopped).await?;
            self.tidy().await;
            self.store.close(vec![self.record(&self.plan.version, Outcome::PutBack, reason)], None).await
        };
        match ended.await {
            Ok(()) => Ok(Vec::new()),
            Err(error) => self.left_alone(error),
        }
    }

    /// What can't be put back now.
    fn left_alone(&self, error: anyhow::Error) -> Result<Vec<Reason>, Overtaken> {
        match kind(&error) {
            Kind::Overtaken(overtaken) => Err(overtaken.clone()),
            _ => Ok(vec![Reason::new(
                &self.seen.stack,
                format!("{error:#}\nboth slots keep their tasks; run `cutover recover`"),
            )]),
        }
    }

    /// Requests through every nginx reach the old slot alone again, where it has tasks.
    async fn is_back(&self) -> Result<()> {
        let (slot, tasks) = (self.plan.from.slot, self.seen.tasks_now().await?);
        if !slots::serving(&tasks[slot]).is_empty() {
            evidence::prove(self.seen, slot, &tasks).await?;
        }
        Ok(())
    }
}
