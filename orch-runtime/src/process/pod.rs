//! [`Pod`]: one sandbox with its attempts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_core::runtime::{ContainerId, ContainerName, RuntimeError, SandboxStatus};

use super::attempt::Attempt;
use super::record::SandboxRecord;

/// A sandbox.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) record: SandboxRecord,
    /// Held by whoever starts or removes something of the pod.
    pub(super) ledger: tokio::sync::Mutex<Ledger>,
    attempts: Mutex<Attempts>,
}

type Attempts = BTreeMap<(ContainerName, u32), Arc<Attempt>>;

/// What must be known before something is started.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The latest attempt of each container, whether it was removed or not.
    pub(super) latest: BTreeMap<ContainerName, u32>,
    /// The pod was removed after this was found.
    pub(super) removed: bool,
}

impl Pod {
    pub(super) fn new(record: SandboxRecord, ledger: Ledger) -> Self {
        Self { record, ledger: tokio::sync::Mutex::new(ledger), attempts: Mutex::default() }
    }

    pub(super) fn attempt(&self, id: &ContainerId) -> Option<Arc<Attempt>> {
        self.lock().get(&(id.name.clone(), id.attempt)).cloned()
    }

    pub(super) fn attempts(&self) -> Vec<Arc<Attempt>> {
        self.lock().values().cloned().collect()
    }

    pub(super) fn insert(&self, attempt: Arc<Attempt>) {
        self.lock().insert((attempt.id.name.clone(), attempt.id.attempt), attempt);
    }

    pub(super) fn forget(&self, id: &ContainerId) {
        self.lock().remove(&(id.name.clone(), id.attempt));
    }

    pub(super) fn status(&self, ready: bool) -> SandboxStatus {
        SandboxStatus {
            spec: self.record.spec.clone(),
            ip: self.record.ip.map(Into::into),
            ready,
            created_at: self.record.created_at,
            containers: self.lock().values().map(|attempt| attempt.status()).collect(),
        }
    }

    /// Whether an attempt is to be started: not if it was before, and not beside or after another.
    pub(super) fn admit(&self, ledger: &Ledger, id: &ContainerId) -> Result<bool, RuntimeError> {
        if ledger.removed {
            return Err(RuntimeError::NoSuchPod { pod: id.pod.clone() });
        }
        if self.attempt(id).is_some() {
            return Ok(false);
        }
        if let Some(&latest) = ledger.latest.get(&id.name).filter(|&&latest| latest >= id.attempt) {
            return Err(RuntimeError::Superseded { id: ContainerId { attempt: latest, ..id.clone() } });
        }
        match self.attempts().iter().find(|attempt| attempt.id.name == id.name && !attempt.has_ended()) {
            Some(other) => Err(RuntimeError::StillRunning { id: other.id.clone() }),
            None => Ok(true),
        }
    }

    /// A panic while the lock is held leaves nothing half done: every critical section is one step.
    fn lock(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
