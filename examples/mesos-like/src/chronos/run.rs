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

use super::api::{Api, refusal};
use super::flags::ChronosFlags;
use super::framework::Framework;
use crate::framework::Link;
use crate::framework::driver::Handle;
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
        via: "1.1 chronos",
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
    let resumed = Framework::resumed(flags, &term.recorded, SystemClock.now()).and_then(|framework| {
        let info = flags.framework(framework.id(), &term.address);
        let link = Link::open(flags.master.clone(), info).map_err(|error| error.to_string())?;
        Ok((framework, link))
    });
    match resumed {
        Ok((framework, link)) => {
            let (handle, driven) = Handle::start(framework, link, term.records, |()| {});
            Leading { handler: Arc::new(Api::new(handle, term.address, flags.settings().defaults)), ended: driven }
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
