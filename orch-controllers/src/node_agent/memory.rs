//! [`Memory`]: what effects leave for the next look. All of it may be forgotten: it is found out anew then.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use orch_core::runtime::{ContainerId, PodUid, VolumeName};

/// What effects leave for the next look at each pod.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<BTreeMap<PodUid, PodMemory>>);

/// What is remembered of one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PodMemory {
    /// The volumes that were made, each with what was in it.
    pub(super) volumes: BTreeMap<VolumeName, MadeVolume>,
    /// Why what was tried last did not succeed.
    pub(super) trouble: Option<Trouble>,
    /// What became of the hooks after the start of containers.
    pub(super) hooks: BTreeMap<ContainerId, Result<(), String>>,
    /// What people are to be told that no state tells.
    pub(super) notes: Vec<Trouble>,
}

/// A volume that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MadeVolume {
    /// Tells one content from another.
    pub(super) fingerprint: u64,
    pub(super) path: PathBuf,
}

/// Why something did not succeed: reason and message of the event that tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Memory {
    /// What is remembered of a pod.
    pub(super) fn of(&self, pod: &PodUid) -> PodMemory {
        self.pods().get(pod).cloned().unwrap_or_default()
    }

    pub(super) fn change(&self, pod: &PodUid, change: impl FnOnce(&mut PodMemory)) {
        change(self.pods().entry(pod.clone()).or_default());
    }

    /// Keeps why something did not succeed, or that it did.
    pub(super) fn tried<T, E: std::fmt::Display>(&self, pod: &PodUid, reason: &'static str, result: &Result<T, E>) {
        match result {
            Err(error) => {
                let trouble = Trouble { reason, message: error.to_string() };
                self.change(pod, |memory| memory.trouble = Some(trouble));
            }
            // Most pods have none, and need no entry for that.
            Ok(_) => {
                if let Some(memory) = self.pods().get_mut(pod)
                    && memory.trouble.as_ref().is_some_and(|trouble| trouble.reason == reason)
                {
                    memory.trouble = None;
                }
            }
        }
    }

    /// Keeps what people are to be told.
    pub(super) fn note(&self, pod: &PodUid, reason: &'static str, message: String) {
        self.change(pod, |memory| memory.notes.push(Trouble { reason, message }));
    }

    /// What people are to be told, which is told by whoever asks.
    pub(super) fn take_notes(&self, pod: &PodUid) -> Vec<Trouble> {
        self.pods().get_mut(pod).map(|memory| std::mem::take(&mut memory.notes)).unwrap_or_default()
    }

    pub(super) fn forget(&self, pod: &PodUid) {
        self.pods().remove(pod);
    }

    /// A panic while the lock is held leaves nothing half done: every critical section is one step.
    fn pods(&self) -> MutexGuard<'_, BTreeMap<PodUid, PodMemory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
