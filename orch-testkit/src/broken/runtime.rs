//! Wrong runtimes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use orch_core::runtime::{
    ContainerId, ContainerSpec, ContainerState, ContainerStats, ContainerStatus, ExecOutput, ExitReason, LogOptions,
    LogStream, PodStats, PodUid, Runtime, RuntimeError, SandboxSpec, SandboxStatus,
};

use super::omission::Omission;
use crate::suite::runtime::{Ability, Beside, Program, RuntimeFixture};

/// What is wrong with a [`FlawedRuntime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Takes an attempt that has ended for one that was never started: the same container twice (kubernetes#117694).
    StartsEndedAttemptsAgain,
    /// Knows attempts apart so well that it does not see that they are of one container: two at once.
    RunsAttemptsTogether,
    /// Reports only what runs, as `docker ps` does without `--all`.
    ForgetsEndedContainers,
    /// Reports every end as success.
    LosesExitCodes,
    /// Reports every container of the machine, and so lets its agent clean up what others run.
    ReportsWhatOthersMade,
    /// Takes its containers along when it ends: children of a daemon that is restarted.
    EndsWithItsUser,
    /// Returns from stop when the signal is sent: the next attempt finds the port in use.
    ReturnsFromStopTooEarly,
    /// Kills at once what it should ask to end.
    GivesNoGrace,
    /// Stops the containers of a removed pod, and leaves its sandbox: addresses run out.
    LeavesSandboxes,
    /// Makes an error of a program that does not exist: a wrong spelling looks like a broken node.
    FailsWhenAProgramIsMissing,
    /// Answers with the output of the latest attempt whichever is asked for.
    MixesOutputsUp,
    /// Does one thing at a time, waiting for grace periods included.
    DoesOneThingAtATime,
    /// Gives what was written before the time that was asked for.
    IgnoresSince,
    /// Gives lines without their times.
    ForgetsTimes,
    /// Believes that what it started runs until it stops it.
    TrustsItsMemory,
    /// Looks at containers only, and not at what they share.
    TakesEverySandboxForReady,
    /// Gives containers the name of the node.
    ForgetsHostNames,
    /// Lets containers ask whom the node asks for names.
    ForgetsWhomToAsk,
    /// Gives containers no names beside those that are there anyway.
    ForgetsHostEntries,
    /// Tells what an ended container used, as if it ran.
    MeasuresTheDead,
    /// Tells 0 for what it cannot measure.
    MeasuresNothingAsZero,
    /// Tells nothing of memory that was too small: it was a signal, after all.
    TakesOutOfMemoryForASignal,
    /// Starts a container without something that it asks for, and says nothing.
    LeavesOut(Omission),
}

impl Flaw {
    /// Every flaw, with the promise that it breaks.
    pub const ALL: [(Self, &str); 35] = [
        (Self::StartsEndedAttemptsAgain, "R1"),
        (Self::RunsAttemptsTogether, "R2"),
        (Self::ForgetsEndedContainers, "R3"),
        (Self::LosesExitCodes, "R3"),
        (Self::ReportsWhatOthersMade, "R3"),
        (Self::EndsWithItsUser, "R4"),
        (Self::ReturnsFromStopTooEarly, "R5"),
        (Self::GivesNoGrace, "R5"),
        (Self::LeavesSandboxes, "R6"),
        (Self::FailsWhenAProgramIsMissing, "R7"),
        (Self::MixesOutputsUp, "R8"),
        (Self::DoesOneThingAtATime, "R9"),
        (Self::IgnoresSince, "R8"),
        (Self::ForgetsTimes, "R8"),
        (Self::TrustsItsMemory, "R3"),
        (Self::TakesEverySandboxForReady, "R3"),
        (Self::ForgetsHostNames, "Spec"),
        (Self::ForgetsWhomToAsk, "Spec"),
        (Self::ForgetsHostEntries, "Spec"),
        (Self::MeasuresTheDead, "Stats"),
        (Self::MeasuresNothingAsZero, "Stats"),
        (Self::TakesOutOfMemoryForASignal, "R9"),
        (Self::LeavesOut(Omission::ProcessLimit), "R9"),
        (Self::LeavesOut(Omission::MemoryLimit), "R9"),
        (Self::LeavesOut(Omission::Mounts), "R10"),
        (Self::LeavesOut(Omission::ReadOnlyMounts), "R10"),
        (Self::LeavesOut(Omission::User), "R10"),
        (Self::LeavesOut(Omission::SupplementalGroups), "R10"),
        (Self::LeavesOut(Omission::NonRoot), "R10"),
        (Self::LeavesOut(Omission::AddedCapabilities), "R10"),
        (Self::LeavesOut(Omission::DroppedCapabilities), "R10"),
        (Self::LeavesOut(Omission::ReadOnlyRoot), "R10"),
        (Self::LeavesOut(Omission::NoNewPrivileges), "R10"),
        (Self::LeavesOut(Omission::Terminal), "R10"),
        (Self::LeavesOut(Omission::Input), "R10"),
    ];
}

/// A runtime with a flaw, or with none, over one that keeps the contract.
#[derive(Debug)]
pub struct FlawedRuntime {
    flaw: Option<Flaw>,
    inner: Arc<dyn Runtime>,
    machine: Arc<Machine>,
}

/// What the runtimes of one place share.
#[derive(Debug, Default)]
struct Machine {
    runtimes: Mutex<Vec<Arc<dyn Runtime>>>,
    /// How often an attempt was started again.
    generations: Mutex<BTreeMap<ContainerId, u32>>,
    /// What was started and not stopped.
    remembered: Mutex<BTreeMap<ContainerId, ContainerStatus>>,
    one_at_a_time: tokio::sync::Mutex<()>,
}

/// Attempts of the runtime below, for each attempt of the flawed one.
const GENERATIONS: u32 = 1000;

impl FlawedRuntime {
    /// The attempt as the runtime below knows it.
    fn below(&self, id: &ContainerId) -> ContainerId {
        let mut below = id.clone();
        match self.flaw {
            Some(Flaw::StartsEndedAttemptsAgain) => {
                let generation = lock(&self.machine.generations).get(id).copied().unwrap_or_default();
                below.attempt = id.attempt * GENERATIONS + generation;
            }
            Some(Flaw::RunsAttemptsTogether) => {
                below.name = format!("{}-{}", id.name, id.attempt).parse().expect("the suite's names are short");
                below.attempt = 0;
            }
            _ => {}
        }
        below
    }

    /// The attempt of which the runtime below knows this as an attempt.
    fn above(&self, mut id: ContainerId) -> ContainerId {
        match self.flaw {
            Some(Flaw::StartsEndedAttemptsAgain) => id.attempt /= GENERATIONS,
            Some(Flaw::RunsAttemptsTogether) => {
                let (name, attempt) = id.name.as_str().rsplit_once('-').expect("a name that was made below");
                id.attempt = attempt.parse().expect("a number that was put there");
                id.name = name.parse().expect("a part of a name");
            }
            _ => {}
        }
        id
    }

    fn report(&self, mut sandbox: SandboxStatus) -> SandboxStatus {
        if self.flaw == Some(Flaw::ForgetsEndedContainers) {
            sandbox.containers.retain(|container| container.state.is_running());
        }
        sandbox.ready |= self.flaw == Some(Flaw::TakesEverySandboxForReady);
        if self.flaw == Some(Flaw::TrustsItsMemory) {
            let remembered = lock(&self.machine.remembered);
            sandbox.containers.retain(|container| !remembered.contains_key(&container.id));
            let of_pod = remembered.values().filter(|container| container.id.pod == sandbox.spec.pod);
            sandbox.containers.extend(of_pod.cloned());
        }
        for container in &mut sandbox.containers {
            container.id = self.above(container.id.clone());
            if self.flaw == Some(Flaw::TakesOutOfMemoryForASignal)
                && let ContainerState::Exited { reason: reason @ ExitReason::OutOfMemory, .. } = &mut container.state
            {
                *reason = ExitReason::Signaled;
            }
            if self.flaw == Some(Flaw::LosesExitCodes)
                && let ContainerState::Exited { code, reason, .. } = &mut container.state
            {
                (*code, *reason) = (0, ExitReason::Exited);
            }
        }
        let latest: BTreeMap<ContainerId, ContainerStatus> =
            sandbox.containers.into_iter().map(|container| (container.id.clone(), container)).collect();
        sandbox.containers = latest.into_values().collect();
        sandbox
    }

    /// Whether an attempt is known and has ended, and how.
    async fn end(&self, below: &ContainerId) -> Result<Option<ExitReason>, RuntimeError> {
        let sandbox = self.inner.status(&below.pod).await?;
        let mut containers = sandbox.into_iter().flat_map(|sandbox| sandbox.containers);
        Ok(containers.find(|container| container.id == *below).and_then(|container| match container.state {
            ContainerState::Exited { reason, .. } => Some(reason),
            ContainerState::Running { .. } => None,
        }))
    }

    async fn end_everything(&self) -> Result<(), RuntimeError> {
        for container in self.inner.list().await?.into_iter().flat_map(|sandbox| sandbox.containers) {
            self.inner.stop(&container.id, Duration::ZERO).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Runtime for FlawedRuntime {
    async fn create_sandbox(&self, spec: &SandboxSpec) -> Result<SandboxStatus, RuntimeError> {
        let mut spec = spec.clone();
        match self.flaw {
            Some(Flaw::ForgetsHostNames) => spec.hostname = "node".to_owned(),
            Some(Flaw::ForgetsWhomToAsk) => spec.dns = None,
            Some(Flaw::ForgetsHostEntries) => spec.host_entries.clear(),
            _ => {}
        }
        self.inner.create_sandbox(&spec).await.map(|sandbox| self.report(sandbox))
    }

    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        if self.flaw == Some(Flaw::DoesOneThingAtATime) {
            let _turn = self.machine.one_at_a_time.lock().await;
            return self.inner.start(id, spec).await;
        }
        if self.flaw == Some(Flaw::StartsEndedAttemptsAgain) && self.end(&self.below(id)).await?.is_some() {
            *lock(&self.machine.generations).entry(id.clone()).or_default() += 1;
        }
        let mut spec = spec.clone();
        if let Some(Flaw::LeavesOut(omission)) = self.flaw {
            omission.leave_out(&mut spec);
        }
        self.inner.start(&self.below(id), &spec).await?;
        if self.flaw == Some(Flaw::TrustsItsMemory) {
            let containers = self.inner.status(&id.pod).await?.into_iter().flat_map(|sandbox| sandbox.containers);
            let started = containers.filter(|container| container.id == *id && container.state.is_running());
            lock(&self.machine.remembered).extend(started.map(|container| (id.clone(), container)));
        }
        let missing = self.end(&self.below(id)).await? == Some(ExitReason::StartError);
        if self.flaw == Some(Flaw::FailsWhenAProgramIsMissing) && missing {
            let message = "there is no such program".to_owned();
            return Err(RuntimeError::Unavailable { message, transient: true, source: None });
        }
        Ok(())
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        let below = self.below(id);
        lock(&self.machine.remembered).remove(id);
        match self.flaw {
            Some(Flaw::ReturnsFromStopTooEarly) => {
                let inner = Arc::clone(&self.inner);
                tokio::spawn(async move { inner.stop(&below, grace).await });
                Ok(())
            }
            Some(Flaw::GivesNoGrace) => self.inner.stop(&below, Duration::ZERO).await,
            Some(Flaw::DoesOneThingAtATime) => {
                let _turn = self.machine.one_at_a_time.lock().await;
                self.inner.stop(&below, grace).await
            }
            _ => self.inner.stop(&below, grace).await,
        }
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        self.inner.remove_container(&self.below(id)).await
    }

    async fn remove(&self, pod: &PodUid) -> Result<(), RuntimeError> {
        lock(&self.machine.remembered).retain(|id, _| id.pod != *pod);
        if self.flaw != Some(Flaw::LeavesSandboxes) {
            return self.inner.remove(pod).await;
        }
        for container in self.inner.status(pod).await?.into_iter().flat_map(|sandbox| sandbox.containers) {
            self.inner.stop(&container.id, Duration::ZERO).await?;
            self.inner.remove_container(&container.id).await?;
        }
        Ok(())
    }

    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError> {
        let mut sandboxes = self.inner.list().await?;
        if self.flaw == Some(Flaw::ReportsWhatOthersMade) {
            sandboxes.clear();
            let runtimes = lock(&self.machine.runtimes).clone();
            for runtime in runtimes {
                sandboxes.extend(runtime.list().await?);
            }
        }
        Ok(sandboxes.into_iter().map(|sandbox| self.report(sandbox)).collect())
    }

    async fn status(&self, pod: &PodUid) -> Result<Option<SandboxStatus>, RuntimeError> {
        Ok(self.inner.status(pod).await?.map(|sandbox| self.report(sandbox)))
    }

    async fn stats(&self, pod: &PodUid) -> Result<Option<PodStats>, RuntimeError> {
        let mut stats = self.inner.stats(pod).await?;
        for container in stats.iter_mut().flat_map(|stats| &mut stats.containers) {
            container.id = self.above(container.id.clone());
            if self.flaw == Some(Flaw::MeasuresNothingAsZero) {
                container.cpu_nanos = Some(0);
            }
        }
        if self.flaw == Some(Flaw::MeasuresTheDead)
            && let (Some(stats), Some(sandbox)) = (&mut stats, self.inner.status(pod).await?)
        {
            let all = sandbox.containers.into_iter().map(|container| ContainerStats::unmeasured(container.id));
            stats.containers = all.collect();
        }
        Ok(stats)
    }

    fn events(&self) -> BoxStream<'static, PodUid> {
        self.inner.events().boxed()
    }

    async fn logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogStream, RuntimeError> {
        let mut below = self.below(id);
        if self.flaw == Some(Flaw::MixesOutputsUp)
            && let Some(sandbox) = self.inner.status(&id.pod).await?
            && let Some(latest) = sandbox.latest(&id.name)
        {
            below = latest.id.clone();
        }
        let since = options.since.filter(|_| self.flaw != Some(Flaw::IgnoresSince));
        let timestamps = options.timestamps && self.flaw != Some(Flaw::ForgetsTimes);
        self.inner.logs(&below, LogOptions { since, timestamps, ..options }).await
    }

    async fn exec(&self, id: &ContainerId, command: &[String], timeout: Duration) -> Result<ExecOutput, RuntimeError> {
        self.inner.exec(&self.below(id), command, timeout).await
    }
}

/// A place where every runtime has a flaw, or none.
#[derive(Debug)]
pub struct FlawedPlace<F> {
    flaw: Option<Flaw>,
    inner: F,
    machine: Arc<Machine>,
}

impl<F: RuntimeFixture> FlawedPlace<F> {
    /// A place over one whose runtimes keep the contract.
    pub fn new(flaw: Option<Flaw>, inner: F) -> Self {
        Self { flaw, inner, machine: Arc::default() }
    }

    pub(super) fn inner(&self) -> &F {
        &self.inner
    }

    /// A runtime of this place over one that was just opened. The earlier one ended when it was dropped.
    pub(super) fn open_over(&self, inner: F::Runtime) -> FlawedRuntime {
        lock(&self.machine.runtimes).clear();
        self.flawed(inner)
    }

    fn flawed(&self, inner: F::Runtime) -> FlawedRuntime {
        let inner: Arc<dyn Runtime> = Arc::new(inner);
        lock(&self.machine.runtimes).push(Arc::clone(&inner));
        FlawedRuntime { flaw: self.flaw, inner, machine: Arc::clone(&self.machine) }
    }
}

#[async_trait]
impl<F: RuntimeFixture> RuntimeFixture for FlawedPlace<F> {
    type Runtime = FlawedRuntime;

    async fn open(&self) -> FlawedRuntime {
        let runtime = self.open_over(self.inner.open().await);
        if self.flaw == Some(Flaw::EndsWithItsUser) {
            runtime.end_everything().await.expect("what runs can be ended");
        }
        runtime
    }

    async fn open_stranger(&self) -> FlawedRuntime {
        self.flawed(self.inner.open_stranger().await)
    }

    fn container(&self, program: Program) -> ContainerSpec {
        self.inner.container(program)
    }

    fn command(&self, command: Beside) -> Vec<String> {
        self.inner.command(command)
    }

    async fn processes(&self) -> BTreeSet<String> {
        self.inner.processes().await
    }

    async fn traces(&self) -> BTreeSet<String> {
        self.inner.traces().await
    }

    fn can(&self, ability: Ability) -> bool {
        self.inner.can(ability)
    }

    async fn destroy_sandbox(&self, pod: &PodUid) -> bool {
        self.inner.destroy_sandbox(pod).await
    }

    async fn kill_behind_back(&self, id: &ContainerId) -> bool {
        self.inner.kill_behind_back(id).await
    }

    async fn remove_behind_back(&self, id: &ContainerId) -> bool {
        self.inner.remove_behind_back(id).await
    }
}

/// A panic elsewhere is that clause's own matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
