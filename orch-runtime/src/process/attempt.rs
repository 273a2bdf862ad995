//! [`Attempt`]: one attempt as this runtime sees it, and the watch over it.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use orch_core::clock::{Clock as _, SystemClock, Timestamp};
use orch_core::runtime::{ContainerId, ContainerSpec, ContainerState, ContainerStatus, ExitReason, RuntimeError};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::process::Child;
use tokio::sync::{RwLock, watch};

use super::identity::ProcessIdentity;
use super::record::{self, AttemptFolder, Durability, Exit, Request};
use super::trouble::unavailable;
use crate::cgroup::Cgroup;
use crate::changes::Changes;

/// How long the kernel may take to end what was killed. It is longer only for a process that waits for a device.
const KILL_TAKES: Duration = Duration::from_secs(10);

/// How often it is looked whether a process is gone of which nothing else tells the end.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What is known of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A shim may be on its way.
    Starting,
    /// The program runs.
    Running(ProcessIdentity),
    /// Everything of it has ended.
    Ended(Exit),
    /// No shim came: nothing of it ever ran, and nothing will.
    NeverStarted,
}

/// An attempt's FIFO `life`: readable when the shim has something to tell, and at its end when the shim has ended.
#[derive(Debug)]
pub(super) enum Life {
    /// A shim holds it, or someone who is about to become one.
    Held(pipe::Receiver),
    /// Nobody holds it, and nobody ever will.
    Gone,
}

impl Life {
    pub(super) fn open(folder: &AttemptFolder) -> io::Result<Self> {
        let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
        let mut file = match File::options().read(true).custom_flags(nonblocking).open(folder.life()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Gone),
            result => result?,
        };
        // The end of a FIFO that nobody held when it was opened can be read, but not be waited for.
        match file.read(&mut [0; 16]) {
            Ok(0) => Ok(Self::Gone),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => pipe::Receiver::from_file(file).map(Self::Held),
        }
    }
}

/// One attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) id: ContainerId,
    pub(super) folder: AttemptFolder,
    pub(super) spec: ContainerSpec,
    pub(super) started_at: Timestamp,
    pub(super) cgroup: Option<Cgroup>,
    phase: watch::Sender<Phase>,
    /// Held for reading by each command beside the container, so that removing can wait for them.
    pub(super) commands: Arc<RwLock<()>>,
}

impl Attempt {
    pub(super) fn new(id: ContainerId, folder: AttemptFolder, request: Request, phase: Phase) -> Self {
        let Request { spec, started_at, launch, .. } = request;
        let cgroup = launch.cgroup;
        Self { id, folder, spec, started_at, cgroup, phase: watch::Sender::new(phase), commands: Arc::default() }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.borrow().clone()
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Ended(_) | Phase::NeverStarted)
    }

    pub(super) async fn ended(&self) {
        self.wait_until(|phase| matches!(phase, Phase::Ended(_) | Phase::NeverStarted)).await;
    }

    /// Waits until it runs, has ended, or never came to be.
    pub(super) async fn settled(&self) {
        self.wait_until(|phase| *phase != Phase::Starting).await;
    }

    async fn wait_until(&self, holds: impl FnMut(&Phase) -> bool) {
        // It fails only when the sender is gone, which lives in `self`.
        let _ = self.phase.subscribe().wait_for(holds).await;
    }

    pub(super) fn status(&self) -> ContainerStatus {
        let started_at = self.started_at;
        let (state, process) = match self.phase() {
            Phase::Starting => (ContainerState::Running { started_at }, None),
            Phase::Running(process) => (ContainerState::Running { started_at }, Some(process.pid.cast_unsigned())),
            Phase::Ended(Exit { reason, code, finished_at, message }) => {
                // The clock may have been set back meanwhile.
                let finished_at = finished_at.max(started_at);
                (ContainerState::Exited { reason, code, started_at, finished_at, message }, None)
            }
            Phase::NeverStarted => {
                let (reason, message) = (ExitReason::Unknown, "the supervisor did not come up".to_owned());
                (ContainerState::Exited { reason, code: 137, started_at, finished_at: started_at, message }, None)
            }
        };
        ContainerStatus { id: self.id.clone(), spec: self.spec.clone(), state, process, image_id: None }
    }

    /// Ends it: SIGTERM to its process group, and after `grace` SIGKILL to everything. The shim sees to the latter
    /// when the program itself is killed.
    pub(super) async fn stop(&self, grace: Duration) -> Result<(), RuntimeError> {
        self.settled().await;
        let Phase::Running(process) = self.phase() else { return Ok(()) };
        let failed = |error| unavailable("cannot signal the container of", &self.folder.0, error);
        process.signal_group(Signal::SIGTERM).map_err(failed)?;
        if tokio::time::timeout(grace, self.ended()).await.is_ok() {
            return Ok(());
        }
        self.kill(&process).await
    }

    /// Ends it at once.
    pub(super) async fn kill_now(&self) -> Result<(), RuntimeError> {
        self.settled().await;
        let Phase::Running(process) = self.phase() else { return Ok(()) };
        self.kill(&process).await
    }

    async fn kill(&self, process: &ProcessIdentity) -> Result<(), RuntimeError> {
        let failed = |error| unavailable("cannot kill the container of", &self.folder.0, error);
        process.signal(Signal::SIGKILL).map_err(failed)?;
        if tokio::time::timeout(KILL_TAKES, self.ended()).await.is_ok() {
            return Ok(());
        }
        let message = format!(
            "container {} was killed, but process {} or one that it started has not ended: it may wait for a device",
            self.id, process.pid
        );
        Err(RuntimeError::Unavailable { message, transient: true, source: None })
    }

    /// Follows an attempt to its end. `shim` is there if this process started it, and has to wait for it.
    pub(super) async fn watch(self: Arc<Self>, life: Life, shim: Option<Child>, changes: Arc<Changes>) {
        if let Life::Held(life) = life {
            // The record of a process is there before it becomes the program, which may fail: of our own shim the sign
            // is waited for. Of a shim that was found it may have been read by an earlier runtime.
            if shim.is_none() {
                self.look_for_process();
            }
            self.watch_life(life).await;
        }
        if let Some(mut shim) = shim
            && let Err(error) = shim.wait().await
        {
            tracing::warn!(container = %self.id, %error, "cannot wait for the shim");
        }
        self.phase.send_replace(self.outcome().await);
        changes.tell(&self.id.pod);
    }

    /// Returns when the shim has ended.
    async fn watch_life(&self, mut life: pipe::Receiver) {
        let mut buffer = [0; 16];
        loop {
            match life.read(&mut buffer).await {
                Ok(0) => return,
                Ok(_) => self.look_for_process(),
                Err(error) => {
                    tracing::warn!(container = %self.id, %error, "cannot read the shim's sign of life");
                    return;
                }
            }
        }
    }

    fn look_for_process(&self) {
        if let Ok(Some(process)) = record::read(&self.folder.process()) {
            self.phase.send_replace(Phase::Running(process));
        }
    }

    /// What became of it, when its shim lives no more.
    async fn outcome(&self) -> Phase {
        loop {
            match self.try_outcome().await {
                Ok(phase) => return phase,
                // As long as it is not certain that everything has ended, it has not ended.
                Err(error) => {
                    tracing::warn!(container = %self.id, %error, "cannot tell how the container ended; trying again");
                    tokio::time::sleep(KILL_TAKES).await;
                }
            }
        }
    }

    async fn try_outcome(&self) -> io::Result<Phase> {
        if let Some(exit) = record::read(&self.folder.exit())? {
            return Ok(Phase::Ended(exit));
        }
        // An identity that cannot be read is of an earlier boot: they are not synchronised.
        let Some(shim) = record::read::<ProcessIdentity>(&self.folder.shim()).ok().flatten() else {
            return Ok(Phase::NeverStarted);
        };
        // Its files are closed a moment before its child is killed, and that is before it is gone.
        while shim.is_alive() {
            shim.signal(Signal::SIGKILL)?;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        if let Some(process) = record::read::<ProcessIdentity>(&self.folder.process()).ok().flatten() {
            while process.kill_session()? {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        if let Some(cgroup) = &self.cgroup {
            while cgroup.kill()? {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            cgroup.remove()?;
        }
        let message = "its supervisor was killed, or the machine went down; what was left of it was killed".to_owned();
        let exit = Exit { reason: ExitReason::Unknown, code: 137, finished_at: SystemClock.now(), message };
        record::write(&self.folder.exit(), &exit, Durability::Power)?;
        Ok(Phase::Ended(exit))
    }
}
