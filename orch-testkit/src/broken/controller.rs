//! Wrong controllers of replica sets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use orch_core::client::Precondition;
use orch_core::controller::{Action, Change, Context, Controller, ControllerError, Plan, Trigger, ViewExt as _};
use orch_core::key::Key;
use orch_core::object::{ObjectMeta, OwnerReference, Pod, PodStatus, ReplicaSet};

/// What is wrong with a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Pods get names that do not follow from the state, so an answer that was lost leaves a twin. Every controller
    /// of Kubernetes that makes pods has it, and guards against it with expectations that time out (kubernetes#129795).
    RandomNames,
    /// The names of pods follow from a revision that its own status changes, so what is tried again has another name.
    NamesFromRevision,
    /// It remembers how many pods it made, and forgets when it is started anew.
    CountsInMemory,
    /// It acts when it is told of a change, once: what failed then is never done.
    EdgeTriggered,
    /// It writes a status that differs every time, and is triggered by that.
    FlapsStatus,
    /// It writes the object as it thinks it should be, without what others wrote to it.
    ForgetsOthers,
    /// It takes all pods of the labels for its own, whoever manages them.
    TakesWhatIsNotIts,
    /// It expects the object that it is asked about to be there.
    PanicsOnAbsence,
}

impl Flaw {
    /// Every flaw, and the promise that it breaks.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::RandomNames, "C3"),
        (Self::NamesFromRevision, "C3"),
        (Self::CountsInMemory, "C3"),
        (Self::EdgeTriggered, "C3"),
        (Self::FlapsStatus, "C6"),
        (Self::ForgetsOthers, "C5"),
        (Self::TakesWhatIsNotIts, "C5"),
        (Self::PanicsOnAbsence, "C7"),
    ];
}

/// A small controller that keeps the pods of replica sets, with a flaw or without.
#[derive(Debug)]
pub struct FlawedController {
    flaw: Option<Flaw>,
    /// How many pods it made for each replica set, less those that it heard are gone.
    memory: Mutex<BTreeMap<String, usize>>,
    /// Whether something changed since it last looked.
    told: AtomicBool,
}

impl FlawedController {
    /// A controller with empty memory.
    #[must_use]
    pub fn new(flaw: Option<Flaw>) -> Self {
        Self { flaw, memory: Mutex::default(), told: AtomicBool::new(false) }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// How many pods it believes there are.
    fn believed(&self, set: &ReplicaSet, pods: &[Arc<Pod>]) -> usize {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        match self.flaw {
            Some(Flaw::CountsInMemory) => memory.get(&set.metadata.name).copied().unwrap_or(0),
            _ => pods.len(),
        }
    }

    fn name(&self, set: &ReplicaSet, slot: usize) -> String {
        static EVER_MADE: AtomicU64 = AtomicU64::new(0);
        let base = &set.metadata.name;
        match self.flaw {
            Some(Flaw::RandomNames) => format!("{base}-{}", EVER_MADE.fetch_add(1, Ordering::Relaxed)),
            Some(Flaw::NamesFromRevision) => {
                format!("{base}-{}-{slot}", set.metadata.revision.unwrap_or_default())
            }
            _ => format!("{base}-{slot}"),
        }
    }

    fn plan(&self, set: &ReplicaSet, pods: &[Arc<Pod>], taken: &[Arc<Pod>]) -> Result<Plan, ControllerError> {
        let mut plan = Plan::nothing();
        let wanted = usize::try_from(set.spec.replicas()).unwrap_or(0);
        let believed = self.believed(set, pods);
        let free = (0..).map(|slot| self.name(set, slot));
        let free = free.filter(|name| !taken.iter().any(|pod| pod.metadata.name == *name));
        for name in free.take(wanted.saturating_sub(believed)) {
            plan.then(Action::create(pod(set, name)));
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            *memory.entry(set.metadata.name.clone()).or_default() += 1;
        }
        for surplus in pods.iter().rev().take(believed.saturating_sub(wanted)) {
            plan.then(Action::delete(surplus.clone()));
        }
        let mut next = set.clone();
        let replicas = i32::try_from(wanted).unwrap_or(i32::MAX);
        next.status.replicas = if self.has(Flaw::FlapsStatus) { set.status.replicas + 1 } else { replicas };
        if self.has(Flaw::ForgetsOthers) {
            next.metadata.annotations.clear();
        }
        if next != *set {
            let update = Action::Update { object: Arc::new(next), on: Precondition::of(set)? };
            let first = self.has(Flaw::NamesFromRevision);
            plan.actions.insert(if first { 0 } else { plan.actions.len() }, update);
        }
        Ok(plan)
    }
}

#[async_trait]
impl Controller for FlawedController {
    fn name(&self) -> &'static str {
        "flawed"
    }

    fn triggers(&self) -> Vec<Trigger> {
        vec![Trigger::itself::<ReplicaSet>(), Trigger::owner::<Pod, ReplicaSet>()]
    }

    fn observe(&self, change: &Change) {
        self.told.store(true, Ordering::Relaxed);
        let lost = match (change.previous(), change.current()) {
            (Some(pod), None) => Some(pod),
            (Some(pod), Some(now)) if !pod.metadata().is_deleting() && now.metadata().is_deleting() => Some(pod),
            _ => None,
        };
        let Some(owner) = lost.and_then(|pod| pod.metadata().controller()) else { return };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let count = memory.entry(owner.name.clone()).or_default();
        *count = count.saturating_sub(1);
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        let told = self.told.swap(false, Ordering::Relaxed);
        if self.has(Flaw::EdgeTriggered) && !told {
            return Ok(Plan::nothing());
        }
        let found = context.view.get::<ReplicaSet>(key);
        let set = match found {
            Some(set) => set,
            None if self.has(Flaw::PanicsOnAbsence) => panic!("{key} must be there"),
            None => return Ok(Plan::nothing()),
        };
        if set.spec.selector.is_empty()
            || set.metadata.is_deleting()
            || !set.spec.selector.matches(&set.spec.template.metadata.labels)
        {
            return Ok(Plan::nothing());
        }
        let Some(uid) = &set.metadata.uid else { return Ok(Plan::nothing()) };
        let taken: Vec<Arc<Pod>> = context.view.list_in(key.namespace().unwrap_or_default())?;
        let is_ours = |pod: &Pod| match self.flaw {
            Some(Flaw::TakesWhatIsNotIts) => set.spec.selector.matches(&pod.metadata.labels),
            _ => pod.metadata.is_controlled_by(uid),
        };
        let lives = |pod: &&Arc<Pod>| is_ours(pod) && !pod.metadata.is_deleting();
        let pods: Vec<Arc<Pod>> = taken.iter().filter(lives).cloned().collect();
        self.plan(&set, &pods, &taken)
    }
}

fn pod(set: &ReplicaSet, name: String) -> Pod {
    let template = &set.spec.template;
    let metadata = ObjectMeta {
        name,
        namespace: set.metadata.namespace.clone(),
        labels: template.metadata.labels.clone(),
        owner_references: vec![OwnerReference::controller_of(set)],
        ..ObjectMeta::default()
    };
    Pod { metadata, spec: template.spec.clone(), status: PodStatus::default() }
}
