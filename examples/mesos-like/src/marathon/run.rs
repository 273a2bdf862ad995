//! Marathon from its start to its end.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use http::HeaderName;
use orch_core::entropy::SeededEntropy;

use super::api::{About, Api};
use super::core::{Marathon, Notice, Probe};
use super::events::Events;
use super::flags::MarathonFlags;
use crate::framework::Link;
use crate::framework::driver::Handle;
use crate::framework::service::{self, Leading, RunningService, Service, ServiceError, Term};
use crate::http::Client;

/// Starts Marathon.
///
/// # Errors
/// [`ServiceError`]
pub async fn start(flags: MarathonFlags) -> Result<RunningService, ServiceError> {
    RunningService::start(Service {
        name: flags.framework_name.clone(),
        listen: SocketAddr::new(flags.http_address, flags.http_port),
        advertised: flags.advertise.clone(),
        store: flags.store.clone(),
        patience: flags.leader_timeout,
        via: "1.1 marathon",
        leader_header: HeaderName::from_static("x-marathon-leader"),
        begin: Box::new(move |term| begin(&flags, term)),
    })
    .await
}

fn begin(flags: &MarathonFlags, term: Term) -> Result<Leading, String> {
    let events = Events::default();
    let recovered = Marathon::recover(flags.settings(), SeededEntropy::from_os(), &term.recorded);
    let marathon = recovered.map_err(|error| error.to_string())?;
    let info = flags.framework(marathon.framework_id(), &term.address);
    let link = Link::open(flags.master.clone(), info).map_err(|error| error.to_string())?;
    let (told, mut probes) = tokio::sync::mpsc::unbounded_channel::<Probe>();
    let heard = events.clone();
    let (handle, driven) = Handle::start(marathon, link, term.records, move |notice| match notice {
        Notice::Event { kind, event } => heard.tell(kind, &event),
        // Nobody asks any more when the term is over.
        Notice::Probe(probe) => drop(told.send(probe)),
    });
    let about = Arc::new(About { flags: flags.clone(), address: term.address, abdication: term.abdication });
    let asked = handle.clone();
    let asking = async move {
        let mut questions = tokio::task::JoinSet::new();
        while let Some(probe) = probes.recv().await {
            questions.spawn(ask(probe, asked.clone()));
            while questions.try_join_next().is_some() {}
        }
    };
    let ended = async move {
        tokio::select! {
            biased;
            () = driven => {}
            () = asking => {}
        }
    };
    Ok(Leading { handler: Arc::new(Api::new(handle, events, about)), ended: ended.boxed() })
}

/// Asks an instance whether it is ready, and tells what it says.
async fn ask(probe: Probe, marathon: Handle<Marathon>) {
    let client = Client::new(Duration::from_secs(probe.timeout_seconds.max(1)));
    let status = client.status(&probe.address, &probe.path).await;
    let is_ready = status.is_ok_and(|status| probe.statuses.contains(&status.as_u16()));
    // When the term is over, the next one asks again.
    let _ = marathon.ask(move |marathon, _| marathon.answered(&probe.instance, is_ready)).await;
}

/// Runs Marathon until a signal ends it.
pub async fn marathon(flags: MarathonFlags) -> ExitCode {
    let (store, masters) = (flags.store.to_string(), flags.master.join(", "));
    let said = move |address| {
        format!(
            "marathon listens on {address}, with the store {store}, for {masters}; Ctrl-C ends it, and its tasks run on"
        )
    };
    service::run(start(flags), said).await
}
