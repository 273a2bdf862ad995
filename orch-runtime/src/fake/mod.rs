//! [`FakeRuntime`]: containers that exist in memory only and follow a script.

mod container;
mod fault;
mod images;
mod interactive;
mod output;
mod program;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use orch_core::clock::{Clock, SystemClock};
use orch_core::runtime::{
    ContainerId, ContainerSpec, ExecOutput, ExitReason, ImageName, LogOptions, LogStream, PodStats, PodUid, Runtime,
    RuntimeError, SandboxSpec, SandboxStatus,
};
use tokio::sync::watch;

pub use self::fault::{Fault, Operation};
use self::fault::{Faults, Unavailable};
pub use self::images::{FakeImage, FakePull};
pub use self::program::{FakeCommand, FakeProgram, FakeUsage};
use self::state::State;
use crate::changes::Changes;

/// A runtime in memory. Containers run until they are stopped, unless a [`FakeProgram`] says otherwise; calls succeed,
/// unless a [`Fault`] was injected. It keeps the whole contract, time included: what ends after a while ends by
/// `tokio::time`, and timestamps are the clock's.
///
/// It is also [`Interactive`](orch_core::runtime::Interactive) and has [`Images`](orch_core::runtime::Images): those that
/// were imported, or were [published](Self::publish) and pulled. Containers need their images on the node only after
/// [`require_images`](Self::require_images). Mounts must exist on the real node; the rest of a spec is believed.
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
    /// Held by each command of a session.
    commands: Arc<()>,
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
        let (state, faults, changes, commands) = Default::default();
        let version = watch::Sender::new(0);
        Self { shared: Arc::new(Shared { clock, state, faults, changes, commands, version }) }
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

    /// Sets what becomes of pulling an image. Without it, no registry has the image.
    pub fn publish(&self, name: ImageName, pull: FakePull) {
        self.state().images.registry.insert(name, pull);
    }

    /// Makes containers need their images on the node, from now on. Before, every image counts as being there.
    pub fn require_images(&self) {
        self.state().images.required = true;
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

    /// Takes away what the containers of a pod share, as somebody else on the node might, and leaves its containers.
    /// Returns whether it was there.
    pub fn destroy_sandbox(&self, pod: &PodUid) -> bool {
        let destroyed = self.state().destroy(pod);
        self.shared.changed(pod);
        destroyed
    }

    /// Removes a container, as somebody else on the node might. Returns whether it was there.
    pub fn lose(&self, id: &ContainerId) -> bool {
        let lost = self.state().lose(id);
        self.shared.changed(&id.pod);
        lost
    }

    /// How many commands of sessions run.
    #[must_use]
    pub fn commands(&self) -> usize {
        Arc::strong_count(&self.shared.commands) - 1
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.shared.faults)
    }

    /// Does what an operation does, or what its next fault says.
    async fn perform<T, E: Unavailable>(
        &self,
        operation: Operation,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
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

    fn changed(&self, pod: &PodUid) {
        self.touch();
        self.changes.tell(pod);
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
        let (script, env) = self.command(id, command)?;
        match script {
            FakeCommand::Ends(output) | FakeCommand::Echoes(output) => Ok(output),
            FakeCommand::PrintsVariable(name) => Ok(interactive::variable(env, &name)),
            FakeCommand::TellsTerminal => Ok(ExecOutput::default()),
            FakeCommand::Hangs(_) | FakeCommand::Floods => {
                tokio::time::sleep(timeout).await;
                Err(RuntimeError::TimedOut)
            }
            FakeCommand::Missing => Err(interactive::missing(command)),
        }
    }

    /// What a command does beside a container that runs, and the container's environment.
    fn command(&self, id: &ContainerId, command: &[String]) -> Result<(FakeCommand, Environment), RuntimeError> {
        let state = self.state();
        let Some(attempt) = state.attempt(id).filter(|attempt| attempt.runs()) else {
            return Err(RuntimeError::NoSuchContainer { id: id.clone() });
        };
        let script = command.first().and_then(|program| state.commands.get(program));
        let script = script.cloned().unwrap_or_else(|| FakeCommand::Ends(ExecOutput::default()));
        Ok((script, attempt.spec.env.clone()))
    }

    /// What an attempt writes after a byte of its output, until it ends.
    fn follow(self: Arc<Self>, id: ContainerId, from: usize, options: LogOptions) -> LogStream {
        LogStream::new(stream::unfold(Some((self, id, from)), move |state| async move {
            let (shared, id, from) = state?;
            let more =
                || shared.state().attempt(&id).is_none_or(|attempt| !attempt.runs() || attempt.output.len() > from);
            shared.wait_until(more).await;
            let (bytes, next) = match shared.state().attempt(&id) {
                Some(attempt) => (attempt.output.read(from, options), attempt.runs().then(|| attempt.output.len())),
                None => return None,
            };
            Some((Ok(bytes.into()), next.map(|next| (shared, id, next))))
        }))
    }
}

type Environment = Vec<(String, String)>;

#[async_trait]
impl Runtime for FakeRuntime {
    async fn create_sandbox(&self, spec: &SandboxSpec) -> Result<SandboxStatus, RuntimeError> {
        let create = async { self.state().create(spec, self.shared.clock.now()) };
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
            let output = attempt.output.read(attempt.output.start(options), options);
            Ok((output, attempt.output.len()))
        };
        let (output, end) = self.perform(Operation::Logs, logs).await?;
        let first = stream::iter([Ok(output.into())]);
        if !options.follow {
            return Ok(LogStream::new(first));
        }
        let rest = Arc::clone(&self.shared).follow(id.clone(), end, options);
        Ok(LogStream::new(stream::StreamExt::chain(first, rest)))
    }

    async fn exec(&self, id: &ContainerId, command: &[String], timeout: Duration) -> Result<ExecOutput, RuntimeError> {
        self.perform(Operation::Exec, self.shared.exec(id, command, timeout)).await
    }
}

/// A panic while a lock is held leaves nothing half done that a test would want to look at.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
