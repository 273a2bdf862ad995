//! [`Troubles`]: what went wrong on the node while something was done for a pod, until people were told.

use std::collections::BTreeMap;
use std::sync::Mutex;

use orch_core::runtime::{ContainerId, ContainerName, PodUid};

use super::background::lock;
use super::probe::ProbeId;

/// What went wrong on the node while something was done for a pod. It is memory that may be lost: what still goes wrong
/// does so again.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<BTreeMap<PodUid, BTreeMap<Subject, Trouble>>>);

/// What there is trouble with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// The pod's sandbox could not be made.
    Sandbox,
    /// The pod's volumes could not be made.
    Volumes,
    /// The next attempt of a container could not be started.
    Start(ContainerName),
    /// A probe found that a container is not well.
    Probe(ProbeId),
    /// A container's hook before its end failed.
    PreStop(ContainerId),
}

impl Subject {
    /// Whether the trouble lasts until what failed succeeds. Otherwise it is over when people were told.
    fn lasts(&self) -> bool {
        matches!(self, Self::Sandbox | Self::Volumes | Self::Start(_))
    }
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// In one word, for programs: the reason of the Event.
    pub(super) reason: &'static str,
    /// In a sentence, for people.
    pub(super) message: String,
    /// Whether people were told.
    pub(super) told: bool,
}

impl Trouble {
    pub(super) fn new(reason: &'static str, message: String) -> Self {
        Self { reason, message, told: false }
    }
}

impl Troubles {
    pub(super) fn of(&self, pod: &PodUid) -> BTreeMap<Subject, Trouble> {
        lock(&self.0).get(pod).cloned().unwrap_or_default()
    }

    pub(super) fn add(&self, pod: &PodUid, subject: Subject, trouble: Trouble) {
        lock(&self.0).entry(pod.clone()).or_default().insert(subject, trouble);
    }

    /// It went well.
    pub(super) fn end(&self, pod: &PodUid, subject: &Subject) {
        if let Some(troubles) = lock(&self.0).get_mut(pod) {
            troubles.remove(subject);
        }
    }

    /// People were told of these troubles of a pod.
    pub(super) fn told(&self, pod: &PodUid, subjects: &[Subject]) {
        let mut pods = lock(&self.0);
        let Some(troubles) = pods.get_mut(pod) else { return };
        troubles.retain(|subject, trouble| {
            let told = subjects.contains(subject);
            trouble.told |= told;
            subject.lasts() || !told
        });
    }

    /// The pod is gone.
    pub(super) fn forget(&self, pod: &PodUid) {
        lock(&self.0).remove(pod);
    }
}
