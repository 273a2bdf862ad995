//! [`Rollout`]: a deployment and its replica sets, as they are and as they will be.

use std::sync::Arc;

use orch_core::client::ClientError;
use orch_core::controller::{Action, EventType, Plan, Report};
use orch_core::object::{
    Deployment, DeploymentStrategyType, LabelSelector, ObjectMeta, OwnerReference, PodTemplateSpec, ReplicaSet,
    ReplicaSetSpec, ReplicaSetStatus,
};

use super::annotations;
use crate::claim::Claim;
use crate::name_hash::{hash, join, letters};

/// The label by which the pods of one template are told from those of another.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// A deployment and its replica sets. Deciding changes the sets; in the end what changed is written.
#[derive(Debug)]
pub(super) struct Rollout<'a> {
    pub(super) deployment: &'a Deployment,
    /// The set of the present template.
    pub(super) new: Option<Set>,
    /// Those of former templates, oldest first.
    pub(super) old: Vec<Set>,
    /// How often a name was taken, if that changed.
    pub(super) collision_count: Option<i32>,
}

/// A replica set as it is and as it will be.
#[derive(Debug)]
pub(super) struct Set {
    read: Option<Arc<ReplicaSet>>,
    pub(super) next: ReplicaSet,
    /// Whether it is to be asked for fewer pods later.
    postponed: bool,
}

impl<'a> Rollout<'a> {
    /// Sorts the replica sets of a claim. Orphans are adopted with the next write.
    pub(super) fn new(deployment: &'a Deployment, claim: &Claim<ReplicaSet>) -> Self {
        let owned =
            claim.owned.iter().map(|set| Set { read: Some(set.clone()), next: (**set).clone(), postponed: false });
        let adopted = claim.orphans.iter().map(|set| {
            let mut next = (**set).clone();
            next.metadata.owner_references.push(OwnerReference::controller_of(deployment));
            Set { read: Some(set.clone()), next, postponed: false }
        });
        let mut old: Vec<Set> = owned.chain(adopted).collect();
        old.sort_by_cached_key(|set| (set.next.metadata.creation_timestamp, set.next.metadata.name.clone()));
        let new = old.iter().position(|set| without_hash(&set.next.spec.template) == deployment.spec.template);
        let new = new.map(|index| old.remove(index));
        Self { deployment, new, old, collision_count: deployment.status.collision_count }
    }

    /// All sets.
    pub(super) fn sets(&self) -> impl Iterator<Item = &Set> {
        self.new.iter().chain(&self.old)
    }

    pub(super) fn sets_mut(&mut self) -> impl Iterator<Item = &mut Set> {
        self.new.iter_mut().chain(&mut self.old)
    }

    /// How many pods the deployment asks for.
    pub(super) fn desired(&self) -> i32 {
        self.deployment.spec.replicas()
    }

    /// How many pods there may be above that.
    pub(super) fn max_surge(&self) -> i32 {
        if self.is_rolling() { self.deployment.spec.max_surge() } else { 0 }
    }

    /// How many pods must be available.
    pub(super) fn min_available(&self) -> i32 {
        let spec = &self.deployment.spec;
        if self.is_rolling() { spec.replicas() - spec.max_unavailable() } else { spec.replicas() }
    }

    /// How many pods the sets ask for together.
    pub(super) fn asked_for(&self) -> i32 {
        self.sets().map(Set::replicas).sum()
    }

    fn is_rolling(&self) -> bool {
        self.deployment.spec.strategy.strategy_type() == DeploymentStrategyType::RollingUpdate
    }

    /// The set of the present template, made without pods if there is none. `taken` are all replica sets of the
    /// namespace: where another has the name, the next is tried.
    pub(super) fn new_or_create(&mut self, taken: &[Arc<ReplicaSet>]) -> Result<&mut Set, ClientError> {
        let set = match self.new.take() {
            Some(set) => set,
            None => Set { read: None, next: self.make(taken)?, postponed: false },
        };
        Ok(self.new.insert(set))
    }

    fn make(&mut self, taken: &[Arc<ReplicaSet>]) -> Result<ReplicaSet, ClientError> {
        let spec = &self.deployment.spec;
        let text = serde_json::to_vec(&spec.template).map_err(orch_core::encoding::EncodeError::from);
        let text = text.map_err(orch_core::store::StoreError::from)?;
        let mut collisions = self.collision_count.unwrap_or(0);
        let (suffix, name) = loop {
            let suffix = letters(hash(&[&text, collisions.to_string().as_bytes()]), 10);
            let name = join(&self.deployment.metadata.name, &suffix);
            if !taken.iter().any(|set| set.metadata.name == name) {
                break (suffix, name);
            }
            collisions += 1;
            self.collision_count = Some(collisions);
        };
        let with_hash = |labels: &std::collections::BTreeMap<String, String>| {
            let mut labels = labels.clone();
            labels.insert(TEMPLATE_HASH.to_owned(), suffix.clone());
            labels
        };
        let mut template = spec.template.clone();
        template.metadata.labels = with_hash(&template.metadata.labels);
        let metadata = ObjectMeta {
            name,
            namespace: self.deployment.metadata.namespace.clone(),
            labels: template.metadata.labels.clone(),
            owner_references: vec![OwnerReference::controller_of(self.deployment)],
            ..ObjectMeta::default()
        };
        let selector = LabelSelector {
            match_labels: with_hash(&spec.selector.match_labels),
            match_expressions: spec.selector.match_expressions.clone(),
        };
        let spec = ReplicaSetSpec { replicas: Some(0), min_ready_seconds: None, selector, template };
        Ok(ReplicaSet { metadata, spec, status: ReplicaSetStatus::default() })
    }

    /// Brings up to date what the sets remember: the version, the scale, and what they take over.
    pub(super) fn annotate(&mut self) {
        let (desired, most) = (self.desired(), self.desired().saturating_add(self.max_surge()));
        let latest = self.old.iter().map(|set| annotations::revision(&set.next.metadata)).max().unwrap_or(0);
        for set in self.sets_mut().filter(|set| set.replicas() > 0 && !set.postponed) {
            annotations::set_scale(&mut set.next.metadata, desired, most);
        }
        let deployment = self.deployment;
        if let Some(new) = &mut self.new {
            annotations::take_over(&mut new.next.metadata, deployment);
            new.next.spec.min_ready_seconds = deployment.spec.min_ready_seconds;
            if annotations::revision(&new.next.metadata) <= latest {
                annotations::set_revision(&mut new.next.metadata, latest + 1);
            }
        }
    }

    /// Writes what changed, the new set first.
    pub(super) fn write(&self, plan: &mut Plan) -> Result<(), ClientError> {
        for set in self.sets() {
            let Set { read, next, .. } = set;
            match read {
                None => plan.then(Action::create(next.clone())),
                Some(read) if **read != *next => plan.then(Action::update(&**read, next.clone())?),
                Some(_) => continue,
            }
            let (before, after) = (read.as_ref().map_or(0, |read| read.spec.replicas()), set.replicas());
            if before != after {
                let direction = if before < after { "up" } else { "down" };
                let name = &next.metadata.name;
                let message = format!("Scaled {direction} replica set {name} from {before} to {after}");
                let report = Report::about(self.deployment, EventType::Normal, "ScalingReplicaSet", message)?;
                plan.then(Action::Report(report));
            }
        }
        Ok(())
    }
}

impl Set {
    /// How many pods it asks for.
    pub(super) fn replicas(&self) -> i32 {
        self.next.spec.replicas()
    }

    /// Asks for another number of pods: for fewer only once whoever makes its pods has seen how many it asks for now.
    /// Otherwise pods might still be made that nobody counts.
    pub(super) fn scale(&mut self, replicas: i32) {
        self.postponed = replicas < self.replicas() && !self.is_observed();
        if !self.postponed {
            self.next.spec.replicas = Some(replicas.max(0));
        }
    }

    fn is_observed(&self) -> bool {
        let observed = |set: &Arc<ReplicaSet>| set.status.observed_generation >= set.metadata.generation;
        self.read.as_ref().is_none_or(observed)
    }

    /// How many available pods it will have once it has the number it asks for: those that are not are removed first.
    pub(super) fn available(&self) -> i32 {
        self.next.status.available_replicas.min(self.replicas())
    }

    /// How many pods it has or is about to have. A set that was just asked for fewer still has them.
    pub(super) fn existing(&self) -> i32 {
        self.next.status.replicas.max(self.replicas())
    }

    /// Whether it asks for no pods, and none is left, not even one that is being deleted.
    pub(super) fn is_empty(&self) -> bool {
        let Some(read) = &self.read else { return false };
        let status = &read.status;
        self.replicas() == 0
            && read.spec.replicas() == 0
            && status.replicas == 0
            && status.terminating_replicas.unwrap_or(0) == 0
            && self.is_observed()
    }

    /// The replica set as it was read; `None` if it is to be made.
    pub(super) fn read(&self) -> Option<&Arc<ReplicaSet>> {
        self.read.as_ref()
    }
}

fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    template.metadata.labels.remove(TEMPLATE_HASH);
    template
}
