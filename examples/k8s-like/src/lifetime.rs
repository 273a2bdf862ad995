//! How what runs begins and ends with this program.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::causes::with_causes;
use crate::show::Voice;
use crate::start_error::{StartError, StopError};
use crate::store::StoreChoice;

/// The signals by which a person, or the machine, ends this program.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From now on they are heard, and do nothing by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for any of them.
    pub(crate) async fn any(&mut self) {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// What is started, or with what this program ends because it is not.
    pub(crate) async fn started<T>(
        &mut self,
        start: impl Future<Output = Result<T, StartError>>,
    ) -> Result<T, ExitCode> {
        tokio::select! {
            biased;
            () = self.any() => {
                eprintln!("error: stopped while it was being started; what runs is left to the next run");
                Err(ExitCode::from(130))
            }
            started = start => started.map_err(|error| failed(&with_causes(&error))),
        }
    }
}

/// Stops every container, by a future that tells what could not be stopped; a second Ctrl-C leaves at once, and the next run
/// finds what is left. With `forget`, that folder goes.
pub(crate) async fn stop(
    stopped: impl Future<Output = Vec<StopError>>,
    signals: &mut Signals,
    voice: &Voice,
    store: &StoreChoice,
    forget: Option<&Path>,
) -> ExitCode {
    voice.say("stopping every container; Ctrl-C again leaves them to the next run");
    let left = tokio::select! {
        biased;
        _ = signals.interrupt.recv() => {
            let next = if store.is_durable() { "takes them over" } else { "stops them" };
            voice.say(&format!("left at once: containers may still run, the next run with this state folder {next}"));
            return ExitCode::from(130);
        }
        left = stopped => left,
    };
    for error in &left {
        voice.say(&format!("error: {error}"));
    }
    if !left.is_empty() {
        return ExitCode::FAILURE;
    }
    if let Some(state_dir) = forget {
        // Only what is empty but for our own records goes; a failure leaves an empty folder behind and nothing else.
        let _ = tokio::fs::remove_dir_all(state_dir).await;
    }
    voice.say("stopped");
    ExitCode::SUCCESS
}

/// Says why nothing runs.
pub(crate) fn failed(message: &str) -> ExitCode {
    eprintln!("{message}");
    eprintln!("error: nothing was started");
    ExitCode::FAILURE
}
