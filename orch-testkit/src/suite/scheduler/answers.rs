//! S1: one answer each.

use std::sync::Arc;

use orch_core::clock::Timestamp;
use orch_core::object::{Pod, PodPhase, Uid};
use orch_core::scheduler::{Outcome, Scheduler};
use proptest::prop_assert_eq;

use super::generated::{for_all, shown};
use super::objects::{decide, key, node, node_of, on, pod, put_node, put_pod};
use crate::strategy::cluster::cluster;

/// Every pod is answered once, in the order given, by its key and uid.
pub async fn every_pod_is_answered_once_in_the_order_given<S: Scheduler>(new: impl Fn() -> S) {
    for_all(cluster(), |cluster| {
        let (mut scheduler, pending) = shown(new(), &cluster);
        let answered: Vec<_> =
            scheduler.schedule(&pending).into_iter().map(|answer| (answer.pod, answer.uid)).collect();
        let asked: Vec<_> = pending.iter().map(|pod| (key(pod), pod.metadata.uid.clone())).collect();
        prop_assert_eq!(answered, asked, "the answers must be about the pods given, each once and in their order");
        Ok(())
    });
}

/// A pod that has a node, has ended or is being deleted is refused without a look at any node.
pub async fn a_pod_that_is_none_to_place_is_refused<S: Scheduler>(new: impl Fn() -> S) {
    let mut scheduler = new();
    put_node(&mut scheduler, node("node-1", 4));
    put_pod(&mut scheduler, on("node-1", pod("running", 1)));
    let mut ended = pod("ended", 1);
    ended.status.phase = Some(PodPhase::Succeeded);
    let mut deleting = pod("deleting", 1);
    deleting.metadata.deletion_timestamp = Some(Timestamp::UNIX_EPOCH.into());
    let cases: [(&str, Pod); 5] = [
        ("has a node", on("node-1", pod("bound", 1))),
        ("has a node that is not known", on("elsewhere", pod("bound", 1))),
        ("was observed on a node", pod("running", 1)),
        ("has ended", ended),
        ("is being deleted", deleting),
    ];
    for (why, pod) in cases {
        match decide(&mut scheduler, &pod).outcome {
            Outcome::Refuse(refusal) => {
                assert_eq!(refusal.nodes, 0, "no node is looked at for a pod that {why}: {refusal}");
                assert!(refusal.hint.is_some(), "a hint must tell that the pod {why}");
            }
            placed => panic!("a pod that {why} must be refused: {placed:?}"),
        }
    }
}

/// A pod that is given twice is placed once.
pub async fn a_pod_is_placed_once_however_often_it_is_given<S: Scheduler>(new: impl Fn() -> S) {
    let mut scheduler = new();
    put_node(&mut scheduler, node("node-1", 4));
    put_node(&mut scheduler, node("node-2", 4));
    let web = Arc::new(pod("web", 1));
    let decisions = scheduler.schedule(&[Arc::clone(&web), Arc::clone(&web)]);
    assert_eq!(decisions.len(), 2, "both must be answered: {decisions:?}");
    assert!(node_of(&decisions[0]).is_some(), "there is room for the pod: {:?}", decisions[0]);
    assert!(node_of(&decisions[1]).is_none(), "the pod has a node by then: {:?}", decisions[1]);

    let mut reborn = pod("web", 1);
    reborn.metadata.uid = Some(Uid::new("another"));
    put_pod(&mut scheduler, on("node-1", pod("web", 1)));
    let decision = decide(&mut scheduler, &reborn);
    assert!(node_of(&decision).is_some(), "a pod of the same name with another uid is another pod: {decision:?}");
}
