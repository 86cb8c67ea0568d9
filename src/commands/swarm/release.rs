//! `cutover release` to a stack: version, checks, build, push, and the swap by the digest that was pushed.

use super::deploy::{already_live, swap};
use crate::cli;
use crate::commands::{Exit, Run, Stop, ask};
use crate::config::Latest;
use crate::report::Level;
use crate::swarm::api::Api;

/// Releases.
pub(super) async fn release(run: &Run, options: &cli::ReleaseOptions, stack: &str) -> Result<Exit, Stop> {
    if options.swap.again {
        return super::deploy::deploy(run, &options.without_build(), stack).await;
    }
    run.reporter.phase("Version");
    let Some((version, source)) = run.version(&options.asked).await? else { return Ok(Exit::Done) };
    run.reporter.note(Level::Info, "", format!("{version}, from {source}"));
    run.credentials()?; // half a login is refused before anything else
    run.know_commit(true).await;
    run.look_at_tree(&version, options).await?;
    let mut github = run.github(&version, true).await;
    github.look_at_tag().await;

    run.reporter.phase("Check the hosts");
    {
        let hosts = run.until_signal(run.connect()).await??;
        let api = run.until_signal(Api::of(&hosts)).await??;
        let (seen, findings) = run.until_signal(run.see_stack(&api, stack)).await??;
        let unfinished = crate::swarm::store::read(&api, stack).await?.journal.is_some();
        // what an earlier run left is put right under the locks, before the swap
        if !unfinished {
            let seen = run.judged(seen, &findings)?;
            if already_live(run, &seen, &version, &options.swap)? {
                github.publish().await;
                return Ok(Exit::Done);
            }
        }
    }
    if !options.yes && ask::is_person_there() && !ask::yes(&format!("Release {version} to the stack {stack}?")) {
        return Err(Stop::new(Exit::Interrupted(130), "not released; nothing was changed"));
    }
    github.begin(&github.commit()).await;
    let ended = build_and_swap(run, options, stack, &version).await;
    github.end_if_ours(ended).await
}

async fn build_and_swap(
    run: &Run,
    options: &cli::ReleaseOptions,
    stack: &str,
    version: &crate::release::Version,
) -> Result<Exit, Stop> {
    run.reporter.phase("Build and push");
    let docker = run.docker().await?;
    run.build_all(&docker, version).await?;
    let pushed = run.push_all(&docker, version).await?;
    let moves = version.moves_latest();
    if moves && run.config.latest == Latest::Pushed {
        run.move_latest(&docker, &pushed).await;
    }
    let digest = pushed.first().map(|pushed| pushed.digest.to_string());
    let exit = swap(run, stack, version, digest, &options.swap).await?;
    if exit == Exit::Done && moves && run.config.latest == Latest::Confirmed {
        run.move_latest(&docker, &pushed).await;
    }
    Ok(exit)
}
