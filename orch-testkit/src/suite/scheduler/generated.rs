//! [`for_all`]: a property of generated values.

use std::fmt::Debug;
use std::sync::Arc;

use orch_core::object::Pod;
use orch_core::scheduler::{Scheduler, SupplyChange};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::strategy::cluster::Cluster;

/// Checks a property of generated values, the same at every run.
///
/// # Panics
/// With the smallest value found for which it does not hold.
pub(super) fn for_all<T: Debug>(values: impl Strategy<Value = T>, holds: impl Fn(T) -> Result<(), TestCaseError>) {
    let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    if let Err(error) = runner.run(&values, holds) {
        panic!("{error}");
    }
}

/// A scheduler that was shown the nodes of a cluster and the pods on them, and the pods to place.
pub(super) fn shown<S: Scheduler>(mut scheduler: S, cluster: &Cluster) -> (S, Vec<Arc<Pod>>) {
    for node in &cluster.nodes {
        scheduler.observe(SupplyChange::NodePut(Arc::new(node.clone())));
    }
    for pod in &cluster.placed {
        scheduler.observe(SupplyChange::PodPut(Arc::new(pod.clone())));
    }
    (scheduler, cluster.pending.iter().cloned().map(Arc::new).collect())
}
