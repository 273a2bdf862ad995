//! [`FilterScoreScheduler`]: every rule on every node, then the best of those left.
//!
//! The method is that of Kubernetes' scheduler: [filters](Filter) exclude nodes, [scores](Score) rank the rest. Here
//! every node is looked at for every pod, none is sampled, and what a node has free is added up from its pods. This is
//! the plain form that a faster one is compared with.

mod builder;
mod explain;
pub mod filters;
mod host_port;
mod node_info;
mod plugin;
mod pod_info;
mod rank;
pub mod scores;
pub(crate) mod supply;

pub use builder::FilterScoreSchedulerBuilder;
pub use host_port::HostPort;
pub use node_info::NodeInfo;
pub use plugin::{Filter, Normalization, Reason, Score};
pub use pod_info::{CPU, MEMORY, PODS, PodInfo};

use std::sync::Arc;

use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::Pod;
use orch_core::scheduler::{Decision, Outcome, Refusal, Scheduler, SupplyChange};

use self::rank::WeightedScore;
use self::supply::{Supply, node_of};

/// Places each pod on the node that scores highest of all that every filter allows.
///
/// Of nodes with equal scores a hash of seed, pod and node chooses one, so that equal nodes fill evenly and the same
/// question gets the same answer.
///
/// ```
/// use std::sync::Arc;
/// use orch_core::object::{Node, Pod};
/// use orch_core::scheduler::{Outcome, Scheduler, SupplyChange};
/// use orch_sched::FilterScoreScheduler;
///
/// let node: Node = serde_json::from_str(
///     r#"{"metadata": {"name": "node-1"}, "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "10"}}}"#,
/// )?;
/// let pod = |name: &str| -> Result<Arc<Pod>, serde_json::Error> {
///     let mut pod: Pod = serde_json::from_str(
///         r#"{"metadata": {"name": "", "namespace": "shop"},
///             "spec": {"containers": [{"name": "web", "resources": {"requests": {"cpu": "1500m"}}}]}}"#,
///     )?;
///     pod.metadata.name = name.to_owned();
///     Ok(Arc::new(pod))
/// };
///
/// let mut scheduler = FilterScoreScheduler::default();
/// scheduler.observe(SupplyChange::NodePut(Arc::new(node)));
/// let decisions = scheduler.schedule(&[pod("web-1")?, pod("web-2")?]);
/// assert!(matches!(&decisions[0].outcome, Outcome::Place { node, .. } if node == "node-1"));
/// let Outcome::Refuse(refusal) = &decisions[1].outcome else { panic!("there is no room for two") };
/// assert_eq!(
///     refusal.to_string(),
///     "0/1 nodes are available: 1 insufficient cpu; the pod asks for 1500m cpu, the most that any of them has free is \
///      500m: ask for less, remove other pods, or add a node"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FilterScoreScheduler {
    seed: u64,
    filters: Vec<Box<dyn Filter>>,
    scores: Vec<WeightedScore>,
    supply: Supply,
}

impl FilterScoreScheduler {
    /// A scheduler with the filters and scores of this crate, to add to.
    #[must_use]
    pub fn builder() -> FilterScoreSchedulerBuilder {
        FilterScoreSchedulerBuilder::default()
    }

    fn decide(&self, key: &Key, pod: &Arc<Pod>) -> Outcome {
        if let Some(why) = why_not_pending(pod, self.supply.pod(key)) {
            return Outcome::Refuse(Refusal { nodes: 0, rules: Vec::new(), hint: Some(why) });
        }
        let pod = PodInfo::new(Arc::clone(pod));
        let (mut allowed, mut excluded) = (Vec::new(), Vec::new());
        for node in self.supply.nodes() {
            match self.first_objection(&pod, node) {
                None => allowed.push(node),
                Some(exclusion) => excluded.push(exclusion),
            }
        }
        match rank::best(self.seed, key, &self.scores, &pod, &allowed) {
            Some((node, score)) => Outcome::Place { node: node.name().to_owned(), score },
            None => Outcome::Refuse(explain::refusal(&self.filters, &pod, excluded)),
        }
    }

    fn first_objection<'a>(&self, pod: &PodInfo, node: &'a NodeInfo) -> Option<explain::Exclusion<'a>> {
        self.filters.iter().enumerate().find_map(|(filter, plugin)| {
            let reason = plugin.check(pod, node).err()?;
            Some(explain::Exclusion { filter, reason, node })
        })
    }
}

impl Default for FilterScoreScheduler {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl Scheduler for FilterScoreScheduler {
    fn observe(&mut self, change: SupplyChange) {
        self.supply.forget_assumed();
        self.supply.observe(change);
    }

    fn schedule(&mut self, pods: &[Arc<Pod>]) -> Vec<Decision> {
        // Nothing is assumed here, unless a plugin panicked in an earlier call.
        self.supply.forget_assumed();
        let mut decisions = Vec::with_capacity(pods.len());
        for pod in pods {
            let Ok(key) = pod.key() else { continue };
            let outcome = self.decide(&key, pod);
            if let Outcome::Place { node, .. } = &outcome {
                self.supply.assume(key.clone(), pod, node);
            }
            decisions.push(Decision { pod: key, uid: pod.metadata.uid.clone(), outcome });
        }
        self.supply.forget_assumed();
        decisions
    }
}

/// Why a pod is none to place, if so. `observed` is the pod of its key that has a node.
pub(crate) fn why_not_pending(pod: &Pod, observed: Option<&Pod>) -> Option<String> {
    // A pod of the same name with another uid is another pod.
    let same = observed.filter(|observed| observed.metadata.uid == pod.metadata.uid);
    if let Some(node) = node_of(pod).or_else(|| same.and_then(node_of)) {
        return Some(format!("the pod has a node already: {node}"));
    }
    if pod.status.phase().is_terminal() {
        return Some("the pod has ended".to_owned());
    }
    pod.metadata.is_deleting().then(|| "the pod is being deleted".to_owned())
}
