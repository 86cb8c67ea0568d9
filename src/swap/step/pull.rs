//! The image comes to the host by digest: from a registry, or from here over SSH.

use crate::cancel::Cancel;
use crate::host::Host;
use crate::host::container::Image;
use crate::host::docker::{Docker, Login, Pulled};
use crate::host::script::Script;
use crate::report::Event;
use crate::ship::send::{Delivery, Sent, send};
use crate::swap::deliver::record;
use crate::swap::plan::{Plan, ServicePlan};
use crate::swap::run::{HostSwap, ServiceSwap};
use anyhow::{Result, bail};
use futures_util::future::try_join_all;
use std::time::Duration;

/// An image that is on the host now.
struct Brought {
    /// Its id there.
    id: Option<String>,
    /// The registry's digest, where the host learnt it.
    digest: Option<String>,
    /// For people.
    text: String,
}

pub(super) fn explain(plan: &Plan) -> String {
    plan.each(|service| match service.present {
        Some(_) => format!("{} is on the host already", service.pull),
        None if service.ship => format!("send {} over SSH, the layers that the host lacks", service.pull),
        None => format!("bring {} to the host", service.pull),
    })
}

/// Brings what is missing. Pulls wait for the registry, so all at once; what goes over SSH shares one connection.
pub(super) async fn run(swap: &mut HostSwap<'_>, cancel: &Cancel) -> Result<String> {
    let one_by_one = tokio::sync::Mutex::new(());
    let each = swap.services.iter().map(async |service| {
        let _turn = if service.plan.ship { Some(one_by_one.lock().await) } else { None };
        bring(swap, service).await
    });
    let brought = tokio::select! {
        brought = try_join_all(each) => brought?,
        signal = cancel.wait() => bail!("stopped by {}", signal.name()),
    };
    let mut said = Vec::new();
    for (service, Brought { id, digest, text }) in swap.services.iter_mut().zip(brought) {
        service.image = id;
        service.digest = digest.or(service.digest.take());
        said.push(text);
    }
    Ok(said.join(", "))
}

/// Brings the image of one service.
async fn bring(swap: &HostSwap<'_>, service: &ServiceSwap<'_>) -> Result<Brought> {
    let plan = service.plan;
    if service.image.is_some() {
        return Ok(Brought { id: service.image.clone(), digest: None, text: format!("{} is there", plan.pull) });
    }
    if plan.ship {
        let sent = ship(swap, plan).await?;
        return Ok(Brought { id: Some(sent.id), digest: None, text: format!("{}: {}", plan.pull, sent.text) });
    }
    let image = match &swap.login {
        Some(login) => with_login(swap.host, swap.host.docker(&swap.plan.engine)?, &plan.pull, login).await?,
        None => by_host(swap.host, &plan.pull).await?,
    };
    let digest = image.as_ref().and_then(|image| image.digest_in(&plan.repository)).map(str::to_owned);
    Ok(Brought { id: image.map(|image| image.id), digest, text: plan.pull.clone() })
}

async fn ship(swap: &HostSwap<'_>, plan: &ServicePlan) -> Result<Sent> {
    let image = swap.shipment.images.get(&plan.name);
    let (Some(image), Some(cache)) = (image, &swap.shipment.cache) else {
        bail!(
            "{} is not on the host any more, and there is no registry: deploy {} from where its image is",
            plan.pull,
            swap.plan.version
        );
    };
    let name = plan.keep_tag.clone();
    let record = record(&swap.state, &plan.name);
    let asked = swap.shipment.asked().remove(&(swap.host.name.clone(), record.clone()));
    let (host, engine) = (swap.host, &swap.plan.engine);
    send(&Delivery { host, image, cache, engine, name, record, fence: swap.fence() }, asked).await
}

/// Pulls through the API, so that the password never rests on the host. Gives the image.
async fn with_login(host: &Host, docker: &Docker, reference: &str, login: &Login) -> Result<Option<Image>> {
    let progress = |pulled: Pulled| {
        host.reporter.emit(Event::Progress {
            host: host.name.clone(),
            text: format!("pull {reference}"),
            done: pulled.done,
            total: pulled.total,
            unit: "bytes",
        });
    };
    docker.pull(reference, Some(login), progress).await?;
    docker.image(reference).await
}

/// Pulls by the host's own `docker`, which may have a login of its own. Gives the image.
async fn by_host(host: &Host, reference: &str) -> Result<Option<Image>> {
    const PULL: &str = "docker pull -q \"$1\" >/dev/null && docker image inspect \"$1\"";
    let script = Script::new("to bring the image to the host", PULL).arg(reference);
    let printed = host.run(&script.limit(Duration::from_secs(3600))).await?;
    Ok(Image::list(&String::from_utf8_lossy(&printed))?.pop())
}
