//! S7: forgetful.

use std::sync::Arc;

use orch_core::object::Pod;
use orch_core::scheduler::{Scheduler, SupplyChange};
use proptest::prop_assert_eq;

use super::generated::{for_all, shown};
use super::objects::{node_of, on};
use crate::strategy::cluster::cluster;

/// The same pods scheduled again get the same answers.
pub async fn decisions_are_not_remembered<S: Scheduler>(new: impl Fn() -> S) {
    for_all(cluster(), |cluster| {
        let (mut scheduler, pending) = shown(new(), &cluster);
        let first = scheduler.schedule(&pending);
        for _ in 0..3 {
            prop_assert_eq!(&scheduler.schedule(&pending), &first, "nothing was shown in between");
        }
        Ok(())
    });
}

/// Pods scheduled together get the answers that they get one by one, each placement shown.
pub async fn together_is_as_one_by_one<S: Scheduler>(new: impl Fn() -> S) {
    for_all(cluster(), |cluster| {
        let (mut scheduler, mut pending) = shown(new(), &cluster);
        // The same pod once more: it has a node by then, or has found none.
        pending.extend(pending.first().cloned());
        let together = scheduler.schedule(&pending);
        let mut one_by_one = Vec::new();
        for pod in &pending {
            for decision in scheduler.schedule(&[Arc::clone(pod)]) {
                if let Some(node) = node_of(&decision) {
                    scheduler.observe(SupplyChange::PodPut(Arc::new(on(node, Pod::clone(pod)))));
                }
                one_by_one.push(decision);
            }
        }
        prop_assert_eq!(together, one_by_one, "left: scheduled together; right: one by one, each placement shown");
        Ok(())
    });
}
