//! [`Kubelet`]: an actor that plays the scheduler and the nodes.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use async_trait::async_trait;
use orch_core::client::Grace;
use orch_core::kind::Object as _;
use orch_core::object::{ConditionStatus, Pod, PodCondition, PodPhase, Time, set_condition};

use super::{Actor, Cluster};

type Judge = dyn Fn(&Pod) -> bool + Send + Sync;

/// Gives pods a node, makes them run and be ready, and removes those that are being deleted, one write at a time, in
/// the order of their names. The node and the address of a pod follow from its name.
pub struct Kubelet {
    becomes_ready: Arc<Judge>,
}

impl Kubelet {
    /// Every pod runs well.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|_| true)
    }

    /// Pods run, and become ready if `judge` says so.
    #[must_use]
    pub fn with(judge: impl Fn(&Pod) -> bool + Send + Sync + 'static) -> Self {
        Self { becomes_ready: Arc::new(judge) }
    }
}

impl Default for Kubelet {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Kubelet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kubelet")
    }
}

#[async_trait]
impl Actor for Kubelet {
    async fn act(&mut self, cluster: &Cluster) -> bool {
        for pod in cluster.list::<Pod>() {
            let Ok(key) = pod.key() else { continue };
            if pod.metadata.is_deleting() {
                if pod.metadata.finalizers.is_empty() && cluster.delete::<Pod>(&key, Grace::Now).await.is_ok() {
                    return true;
                }
                continue;
            }
            let ready = (self.becomes_ready)(&pod);
            let next = next_state(&pod, ready, cluster.now().into());
            if next != *pod && cluster.update::<Pod>(&key, |pod| *pod = next).await.is_ok() {
                return true;
            }
        }
        false
    }
}

/// The pod one step further in its life.
fn next_state(pod: &Pod, ready: bool, now: Time) -> Pod {
    let mut next = pod.clone();
    let number = hash(&pod.metadata.name);
    if pod.spec.node_name.is_none() {
        next.spec.node_name = Some(format!("node-{}", number % 3));
        return next;
    }
    if pod.status.phase().is_terminal() || (pod.status.phase() == PodPhase::Running && pod.status.is_ready() == ready) {
        return next;
    }
    if pod.status.phase() == PodPhase::Pending {
        next.status.start_time = Some(now);
        next.status.pod_ip = Some(format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255));
    }
    next.status.phase = Some(PodPhase::Running);
    let condition = PodCondition {
        r#type: PodCondition::READY.to_owned(),
        status: ConditionStatus::from(ready),
        last_transition_time: Some(now),
        ..PodCondition::default()
    };
    set_condition(&mut next.status.conditions, condition);
    next
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}
