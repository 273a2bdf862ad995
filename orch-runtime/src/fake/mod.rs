//! [`FakeRuntime`]: containers that exist in memory only and follow a script.

mod fault;
mod program;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use orch_core::clock::{Clock, SystemClock};
use orch_core::runtime::{
    ContainerId, ContainerSpec, ExecOutput, ExitReason, LogOptions, LogStream, PodStats, PodUid, Runtime, RuntimeError,
    SandboxSpec, SandboxStatus,
};
use tokio::sync::watch;

use self::fault::Faults;
pub use self::fault::{Fault, Operation};
pub use self::program::{FakeCommand, FakeProgram};
use self::state::State;
use crate::changes::Changes;

/// A runtime in memory. Containers run until they are stopped, unless a [`FakeProgram`] says otherwise; calls succeed,
/// unless a [`Fault`] was injected. It keeps the whole contract, time included: what ends after a while ends by
/// `tokio::time`, and timestamps are the clock's.
///
/// Clones share everything, so a clone is also what a new process would find after a restart.
#[derive(Clone, Debug)]
pub struct FakeRuntime {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    faults: Mutex<Faults>,
    changes: Arc<Changes>,
    /// Counts the changes of state and faults, so that one can wait for the next.
    version: watch::Sender<u64>,
}

impl Default for FakeRuntime {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl FakeRuntime {
    /// A runtime without pods, whose timestamps come from `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (state, faults, changes) = Default::default();
        let version = watch::Sender::new(0);
        Self { shared: Arc::new(Shared { clock, state, faults, changes, version }) }
    }

    /// Sets what containers do that are started from now on: those of which the name, or else the program, or else the
    /// image, is `of`.
    pub fn script(&self, of: impl Into<String>, program: FakeProgram) {
        self.state().programs.insert(of.into(), program);
    }

    /// Sets what a command does that is run beside a container, by its program.
    pub fn script_exec(&self, of: impl Into<String>, command: FakeCommand) {
        self.state().commands.insert(of.into(), command);
    }

    /// Makes the next call of an operation go wrong that no earlier fault waits for.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.faults().push_next(operation, fault);
    }

    /// Makes every call of an operation go wrong, until it is healed.
    pub fn fail_every(&self, operation: Operation, fault: Fault) {
        self.faults().set_every(operation, fault);
    }

    /// Takes back the faults of an operation. Calls that hang go on.
    pub fn heal(&self, operation: Operation) {
        self.faults().heal(operation);
        self.shared.touch();
    }

    /// How often an operation was called, calls that went wrong included.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> u64 {
        self.faults().calls(operation)
    }

    /// Ends a running container without being asked, as a program that crashes does; 128 and more count as ended by
    /// a signal. Returns whether it was running.
    pub fn crash(&self, id: &ContainerId, code: i32) -> bool {
        self.shared.end_by_itself(id, code)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.shared.faults)
    }

    /// Does what an operation does, or what its next fault says.
    async fn perform<T>(
        &self,
        operation: Operation,
        act: impl Future<Output = Result<T, RuntimeError>>,
    ) -> Result<T, RuntimeError> {
        let (fault, heals) = {
            let mut faults = self.faults();
            (faults.call(operation), faults.heals(operation))
        };
        match fault {
            None => act.await,
            Some(Fault::Hang) => {
                self.shared.wait_until(|| self.faults().heals(operation) > heals).await;
                act.await
            }
            Some(fault @ Fault::AnswerLost) => {
                act.await?;
                Err(fault.error(operation))
            }
            Some(fault @ Fault::Unavailable { .. }) => Err(fault.error(operation)),
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn touch(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// Waits until something holds that changes with the version.
    async fn wait_until(&self, holds: impl Fn() -> bool) {
        // It fails only when the sender is gone, which lives in `self`.
        let _ = self.version.subscribe().wait_for(|_| holds()).await;
    }

    fn runs(&self, id: &ContainerId) -> bool {
        self.state().attempt(id).is_some_and(state::Attempt::runs)
    }

    fn end(&self, id: &ContainerId, reason: ExitReason, code: i32) -> bool {
        let ended = self.state().end(id, reason, code, self.clock.now());
        self.touch();
        ended
    }

    fn end_by_itself(&self, id: &ContainerId, code: i32) -> bool {
        let reason = if code < 128 { ExitReason::Exited } else { ExitReason::Signaled };
        let ended = self.end(id, reason, code);
        if ended {
            self.changes.tell(&id.pod);
        }
        ended
    }

    async fn start(self: &Arc<Self>, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let program = self.state().start(id, spec, self.clock.now())?;
        self.touch();
        if let Some((after, code)) = program.and_then(|program| program.exit) {
            let (shared, id) = (Arc::downgrade(self), id.clone());
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                if let Some(shared) = shared.upgrade() {
                    shared.end_by_itself(&id, code);
                }
            });
        }
        Ok(())
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        let Some(ignores) = self.state().attempt(id).map(|attempt| attempt.runs() && attempt.program.ignores_stop)
        else {
            return Err(RuntimeError::NoSuchContainer { id: id.clone() });
        };
        if ignores {
            let ended = self.wait_until(|| !self.runs(id));
            if tokio::time::timeout(grace, ended).await.is_err() {
                self.end(id, ExitReason::Signaled, 137);
            }
        } else {
            self.end(id, ExitReason::Signaled, 143);
        }
        Ok(())
    }

    async fn exec(&self, id: &ContainerId, command: &[String], timeout: Duration) -> Result<ExecOutput, RuntimeError> {
        let program = command.first().cloned().unwrap_or_default();
        let (script, env) = {
            let state = self.state();
            let Some(attempt) = state.attempt(id).filter(|attempt| attempt.runs()) else {
                return Err(RuntimeError::NoSuchContainer { id: id.clone() });
            };
            (state.commands.get(&program).cloned(), attempt.spec.env.clone())
        };
        match script {
            None => Ok(ExecOutput::default()),
            Some(FakeCommand::Ends(output)) => Ok(output),
            Some(FakeCommand::PrintsVariable(name)) => {
                let value = env.into_iter().rev().find(|(variable, _)| *variable == name).unwrap_or_default().1;
                Ok(ExecOutput { stdout: value.into_bytes(), ..ExecOutput::default() })
            }
            Some(FakeCommand::Hangs) => {
                tokio::time::sleep(timeout).await;
                Err(RuntimeError::TimedOut)
            }
            Some(FakeCommand::Missing) => {
                let message = "its script says that there is none".to_owned();
                Err(RuntimeError::CommandNotFound { command: program, message })
            }
        }
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    async fn create_sandbox(&self, spec: &SandboxSpec) -> Result<SandboxStatus, RuntimeError> {
        let create = async { Ok(self.state().create(spec, self.shared.clock.now())) };
        self.perform(Operation::CreateSandbox, create).await
    }

    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        self.perform(Operation::Start, self.shared.start(id, spec)).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        self.perform(Operation::Stop, self.shared.stop(id, grace)).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        self.perform(Operation::RemoveContainer, async { self.state().remove_attempt(id) }).await
    }

    async fn remove(&self, pod: &PodUid) -> Result<(), RuntimeError> {
        let remove = async {
            self.state().pods.remove(pod);
            self.shared.touch();
            Ok(())
        };
        self.perform(Operation::Remove, remove).await
    }

    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError> {
        let list = async { Ok(self.state().pods.values().map(state::Pod::status).collect()) };
        self.perform(Operation::List, list).await
    }

    async fn status(&self, pod: &PodUid) -> Result<Option<SandboxStatus>, RuntimeError> {
        let status = async { Ok(self.state().pods.get(pod).map(state::Pod::status)) };
        self.perform(Operation::Status, status).await
    }

    async fn stats(&self, pod: &PodUid) -> Result<Option<PodStats>, RuntimeError> {
        let now = self.shared.clock.now();
        self.perform(Operation::Stats, async { Ok(self.state().pods.get(pod).map(|found| found.stats(now))) }).await
    }

    fn events(&self) -> BoxStream<'static, PodUid> {
        self.shared.changes.listen()
    }

    async fn logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogStream, RuntimeError> {
        let logs = async {
            let state = self.state();
            let Some(attempt) = state.attempt(id) else {
                return Err(RuntimeError::NoSuchContainer { id: id.clone() });
            };
            Ok(tail(&attempt.output, options.tail).to_vec())
        };
        let output = self.perform(Operation::Logs, logs).await?;
        let first = stream::iter([Ok(output.into())]);
        if !options.follow {
            return Ok(LogStream::new(first));
        }
        // All of the output is written at the start, so what follows is only the end.
        let (shared, id) = (Arc::clone(&self.shared), id.clone());
        let end = stream::once(async move {
            shared.wait_until(|| !shared.runs(&id)).await;
            Ok(Default::default())
        });
        Ok(LogStream::new(stream::StreamExt::chain(first, end)))
    }

    async fn exec(&self, id: &ContainerId, command: &[String], timeout: Duration) -> Result<ExecOutput, RuntimeError> {
        self.perform(Operation::Exec, self.shared.exec(id, command, timeout)).await
    }
}

/// The last so many lines.
fn tail(output: &[u8], lines: Option<usize>) -> &[u8] {
    let Some(lines) = lines else { return output };
    let starts = output.split_inclusive(|byte| *byte == b'\n').rev().take(lines).map(<[u8]>::len);
    &output[output.len() - starts.sum::<usize>()..]
}

/// A panic while a lock is held leaves nothing half done that a test would want to look at.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
