//! [`chronos`]: the framework as a program.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use http::HeaderName;
use orch_core::clock::{Clock as _, SystemClock};

use super::api::Api;
use super::flags::ChronosFlags;
use super::framework::Framework;
use crate::framework::Link;
use crate::framework::driver::Handle;
use crate::framework::service::{self, Leading, RunningService, Service, ServiceError, Term};

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
    let (store, masters) = (flags.store.to_string(), flags.master.join(", "));
    let said = move |address| {
        format!(
            "chronos listens on {address}, with the store {store}, for {masters}; Ctrl-C ends it, and its tasks run on"
        )
    };
    service::run(start(flags), said).await
}

fn begin(flags: &ChronosFlags, term: Term) -> Result<Leading, String> {
    let framework = Framework::resumed(flags, &term.recorded, SystemClock.now())?;
    let info = flags.framework(framework.id(), &term.address);
    let link = Link::open(flags.master.clone(), info).map_err(|error| error.to_string())?;
    let (handle, driven) = Handle::start(framework, link, term.records, |()| {});
    let handler = Arc::new(Api::new(handle, term.address, flags.settings().defaults));
    Ok(Leading { handler, ended: driven })
}
