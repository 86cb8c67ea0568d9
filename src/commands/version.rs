//! `cutover version`: the version that would be released, from where, and why.

use super::{Exit, Run, Stop, ask};
use crate::cli::{self, VersionAsked};
use crate::config::{VersionFrom, WhenMissing};
use crate::release::grammar::Candidate;
use crate::release::source::{Nothing, Places, Resolved, Rule, Search, TextLooked, VersionSource, search};
use crate::release::version::Version;
use crate::report::outcome::{Explained, ExplainedCandidate, ExplainedText, NothingToRelease, VersionEnd};
use crate::report::text::one_line;
use crate::report::{Level, Outcome};

/// Prints it.
pub(super) async fn version(run: &Run, options: &cli::VersionOptions) -> Result<Exit, Stop> {
    let mut places = run.places(&options.asked)?;
    places.message = options.message.clone();
    let found = search(&places).await;
    if options.explain {
        return run.explain(found);
    }
    let Some((version, source)) = run.found(found)? else { return Ok(Exit::Done) };
    let (source, prerelease) = (source.to_string(), version.is_prerelease());
    run.reporter.outcome(&Outcome::Version(VersionEnd::Found { version, source, prerelease }));
    Ok(Exit::Done)
}

impl Run {
    /// The version to release; `None`, already said, where there is nothing to release.
    pub(super) async fn version(&self, asked: &VersionAsked) -> Result<Option<(Version, VersionSource)>, Stop> {
        let found = self.found(search(&self.places(asked)?).await)?;
        found.iter().for_each(|(version, _)| self.hooks.told().version = version.to_string());
        Ok(found)
    }

    /// Where to look, and by which rule.
    fn places(&self, asked: &VersionAsked) -> Result<Places, Stop> {
        let rule = match &self.config.version_from {
            VersionFrom::UsualPlaces => Rule::Grammar,
            VersionFrom::Anywhere => Rule::Anywhere,
            VersionFrom::Pattern(pattern) => {
                let pattern = regex::Regex::new(pattern.as_str());
                Rule::Pattern(pattern.map_err(|error| Stop::new(Exit::Usage, error.to_string()))?)
            }
        };
        let images = self.config.services.iter().map(|service| service.image.as_str());
        let last = images.filter_map(|image| image.rsplit('/').next()).map(str::to_owned);
        let own = self.config.services.iter().map(|service| service.name.to_string()).chain(last).collect();
        Ok(Places { rule, own, ..Places::from_env(asked.version.clone(), &self.config.root) })
    }

    fn found(&self, search: Search) -> Result<Option<(Version, VersionSource)>, Stop> {
        let found = match search.outcome? {
            Resolved::Found(version, source) => Some((version, source)),
            Resolved::Nothing(nothing) => self.nothing(nothing)?,
        };
        if let Some((version, _)) = &found {
            self.reporter.about(&version.to_string());
        }
        Ok(found)
    }

    /// Says that there is nothing to release. A version of which only a person knows what it is, is asked about.
    fn nothing(&self, nothing: Nothing) -> Result<Option<(Version, VersionSource)>, Stop> {
        if let Some((version, source)) = nothing.lone
            && ask::is_person_there()
            && ask::yes(&format!("{}.\nIs {version} the version to release?", nothing.why))
        {
            return Ok(Some((version, source)));
        }
        let todo = nothing.todo.map(|todo| format!("\n{todo}")).unwrap_or_default();
        let why = nothing.why;
        if self.config.when_missing == WhenMissing::Fail {
            return Err(Stop::new(Exit::Usage, format!("{why}, and `when-missing: fail` wants one{todo}")));
        }
        let level = if todo.is_empty() { Level::Info } else { Level::Warning };
        self.reporter.note(level, "", format!("nothing to release: {why}{todo}"));
        let outcome = NothingToRelease::NothingToRelease;
        self.reporter.outcome(&Outcome::Version(VersionEnd::Nothing { outcome, why }));
        Ok(None)
    }

    /// What each text has, what became of it, and what it comes to.
    fn explain(&self, search: Search) -> Result<Exit, Stop> {
        let mut explained = Explained { texts: search.looked.iter().map(text).collect(), ..Explained::default() };
        let ended = match search.outcome {
            Ok(Resolved::Found(version, source)) => {
                (explained.version, explained.source) = (Some(version), Some(source.to_string()));
                Ok(Exit::Done)
            }
            Ok(Resolved::Nothing(nothing)) => {
                (explained.why, explained.todo) = (Some(nothing.why), nothing.todo);
                explained.outcome = Some(NothingToRelease::NothingToRelease);
                Ok(Exit::Done)
            }
            Err(error) => Err(error.into()),
        };
        self.reporter.outcome(&Outcome::Version(VersionEnd::Explained(explained)));
        ended
    }
}

fn text(looked: &TextLooked) -> ExplainedText {
    let candidate = |candidate: &Candidate| ExplainedCandidate {
        text: one_line(&candidate.text, 80),
        line: candidate.line,
        verdict: candidate.verdict.to_string(),
    };
    let first = looked.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
    let candidates = looked.reading.candidates.iter().map(candidate).collect();
    ExplainedText { source: looked.source.to_string(), candidates, first }
}
