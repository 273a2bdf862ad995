//! [`chronos`]: the framework as a program.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderName, Request, StatusCode};
use hyper::body::Incoming;
use orch_core::clock::{Clock as _, SystemClock};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::actor::{Actor, FRAMEWORK};
use super::api::{Api, refusal};
use super::core::Chronos;
use super::desk::Desk;
use super::flags::ChronosFlags;
use crate::framework::service::{Leading, RunningService, Service, ServiceError, Term};
use crate::http::{Answer, Handler, Refusal};

/// After what time records that cannot be read are read again.
const RETRY: Duration = Duration::from_secs(5);

/// Starts the framework: it runs until it is stopped or dropped.
///
/// # Errors
/// [`ServiceError`]
pub async fn start(flags: ChronosFlags) -> Result<RunningService, ServiceError> {
    let listen = SocketAddr::new(flags.ip, flags.http_port);
    RunningService::start(Service {
        name: flags.mesos_framework_name.clone(),
        listen,
        advertised: flags.hostname.as_ref().map(|host| format!("{host}:{}", flags.http_port)),
        store: flags.store.clone(),
        patience: flags.leader_timeout,
        via: "chronos",
        leader_header: HeaderName::from_static("x-chronos-leader"),
        begin: Box::new(move |term| begin(&flags, term)),
    })
    .await
}

/// Runs the framework until a signal ends it; its tasks go on.
pub async fn chronos(flags: ChronosFlags) -> ExitCode {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        eprintln!("error: cannot listen for signals");
        return ExitCode::FAILURE;
    };
    let (store, masters) = (flags.store.to_string(), flags.master.join(","));
    let running = match start(flags).await {
        Ok(running) => running,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    eprintln!("chronos listens on {}, with the master {masters} and the store {store}", running.address());
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.stop().await;
    ExitCode::SUCCESS
}

fn begin(flags: &ChronosFlags, term: Term) -> Leading {
    let id = term.recorded.get(FRAMEWORK).and_then(|record| record["id"].as_str()).map(str::to_owned);
    let begun = Chronos::resumed(flags.settings(), &term.recorded, SystemClock.now()).and_then(|chronos| {
        let actor = Actor::new(chronos, term.records, flags, id, &term.address);
        actor.map_err(|error| error.to_string())
    });
    match begun {
        Ok(actor) => {
            let (desk, asking) = Desk::open();
            let ended = async move {
                let reason = actor.work(asking).await;
                tracing::warn!(%reason, "this process works on jobs no longer");
            };
            let handler = Arc::new(Api::new(desk, term.address, flags.settings().defaults));
            Leading { handler, ended: Box::pin(ended) }
        }
        Err(reason) => {
            tracing::error!(reason, "this process cannot lead with what is recorded");
            Leading { handler: Arc::new(Broken(reason)), ended: Box::pin(sleep(RETRY)) }
        }
    }
}

/// Says why nothing can be done.
#[derive(Debug)]
struct Broken(String);

#[async_trait]
impl Handler for Broken {
    async fn answer(&self, _: Request<Incoming>, _: SocketAddr) -> Answer {
        refusal(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, self.0.clone()))
    }
}
