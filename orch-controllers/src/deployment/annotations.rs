//! The annotations by which a deployment and its replica sets remember what a rollout needs to know.

use orch_core::object::{Deployment, ObjectMeta};

/// Which version of the deployment a replica set is of, and which one a deployment has: a number that grows.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
/// The numbers that a replica set had before, when it was gone back to, with commas between them.
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// How many replicas the deployment asked for when the replica set was last scaled.
const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// How many pods there might have been then, the surge included.
const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";

/// What a replica set does not take over from its deployment's annotations.
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
];

/// The version that an object is of; 0 if it says none.
pub(super) fn revision(metadata: &ObjectMeta) -> i64 {
    number(metadata, REVISION).unwrap_or(0)
}

/// Makes a replica set the version `revision`, and remembers the one it was.
pub(super) fn set_revision(metadata: &mut ObjectMeta, revision: i64) {
    if let Some(before) = metadata.annotations.insert(REVISION.to_owned(), revision.to_string()) {
        let history = metadata.annotations.entry(REVISION_HISTORY.to_owned()).or_default();
        if !history.is_empty() {
            history.push(',');
        }
        history.push_str(&before);
    }
}

/// How many replicas the deployment asked for when the replica set was last scaled.
pub(super) fn desired_replicas(metadata: &ObjectMeta) -> Option<i64> {
    number(metadata, DESIRED_REPLICAS)
}

/// How many pods there might have been when the replica set was last scaled.
pub(super) fn max_replicas(metadata: &ObjectMeta) -> Option<i64> {
    number(metadata, MAX_REPLICAS)
}

/// Remembers what a replica set is scaled for.
pub(super) fn set_scale(metadata: &mut ObjectMeta, desired: i32, most: i32) {
    metadata.annotations.insert(DESIRED_REPLICAS.to_owned(), desired.to_string());
    metadata.annotations.insert(MAX_REPLICAS.to_owned(), most.to_string());
}

/// Takes over the deployment's annotations.
pub(super) fn take_over(metadata: &mut ObjectMeta, deployment: &Deployment) {
    for (key, value) in &deployment.metadata.annotations {
        if !OWN.contains(&key.as_str()) {
            metadata.annotations.insert(key.clone(), value.clone());
        }
    }
}

fn number(metadata: &ObjectMeta, key: &str) -> Option<i64> {
    metadata.annotations.get(key)?.parse().ok()
}
