//! What replica sets go through.

use std::sync::Arc;

use orch_core::controller::Controller;
use orch_core::object::{ConditionStatus, ObjectMeta, OwnerReference, Pod, PodPhase, ReplicaSet, ReplicaSetSpec, Uid};

use super::{NAMESPACE, key, metadata, pod, selector, template};
use crate::fault::{Cluster, GarbageCollector, Kubelet, Scenario, Step, System};

/// Stories of a controller that keeps the pods of replica sets. `make` makes it with empty memory.
pub fn replica_set<M>(make: M) -> Vec<Scenario>
where
    M: Fn() -> Arc<dyn Controller> + Clone + Send + Sync + 'static,
{
    let story = |name| {
        let make = make.clone();
        let scenario = Scenario::new(name, move |_| {
            let garbage = GarbageCollector::<ReplicaSet, Pod>::new();
            System::new().controller(make.clone()).actor(Kubelet::new()).actor(garbage)
        });
        scenario
            .bystander(pod("lookalike", "other"))
            .bystander(Pod { metadata: elsewhere(), ..pod("", "web") })
            .bystander(Pod { metadata: managed_by_another(), ..pod("", "web") })
            .invalid(ReplicaSet { spec: ReplicaSetSpec { selector: selector("other"), ..web(2).spec }, ..web(2) })
            .invalid(ReplicaSet { spec: ReplicaSetSpec::default(), ..web(2) })
            .always("no more pods may live than were ever asked for", at_most_asked)
    };
    vec![
        scaling(story("replica set: scaled up and down")),
        losses(story("replica set: pods lost")),
        adoption(story("replica set: orphans and strangers")),
        waiting(story("replica set: slow to be available")),
    ]
}

fn scaling(story: Scenario) -> Scenario {
    story.object(web(3)).step(scale(5)).step(scale(2)).step(scale(0)).step(scale(2))
}

fn losses(story: Scenario) -> Scenario {
    story
        .object(web(3))
        .step(Step::delete_first::<Pod>("a user deletes a pod", ours))
        .step(Step::update_first::<Pod>("a pod fails", ours, |pod| pod.status.phase = Some(PodPhase::Failed)))
        .step(Step::update_first::<Pod>("a pod is not ready any more", ours, |pod| {
            pod.status.conditions.iter_mut().for_each(|condition| condition.status = ConditionStatus::False);
        }))
        .step(scale(1))
        .step(Step::delete::<ReplicaSet>(&key::<ReplicaSet>("web")))
        .step(Step::create(web(2)))
}

fn adoption(story: Scenario) -> Scenario {
    story
        .object(pod("orphan-a", "web"))
        .object(pod("orphan-b", "web"))
        .object(web(3))
        .step(Step::update_first::<Pod>("a pod is relabelled", ours, |pod| {
            pod.metadata.labels.insert("app".to_owned(), "debug".to_owned());
        }))
        .step(Step::create(pod("orphan-c", "web")))
        .step(scale(1))
}

fn waiting(story: Scenario) -> Scenario {
    let mut slow = web(2);
    slow.spec.min_ready_seconds = Some(30);
    story.object(slow).step(scale(3)).step(Step::delete_first::<Pod>("a user deletes a pod", ours)).step(scale(1))
}

fn web(replicas: i32) -> ReplicaSet {
    let spec = ReplicaSetSpec {
        replicas: Some(replicas),
        selector: selector("web"),
        template: template("web", "shop/web:1"),
        ..ReplicaSetSpec::default()
    };
    ReplicaSet { metadata: metadata("web", "web"), spec, ..ReplicaSet::default() }
}

fn scale(replicas: i32) -> Step {
    let words = format!("scale to {replicas}");
    Step::update::<ReplicaSet>(&words, &key::<ReplicaSet>("web"), move |set| set.spec.replicas = Some(replicas))
}

fn ours(pod: &Pod) -> bool {
    pod.metadata.controller().is_some_and(|owner| owner.name == "web")
}

fn elsewhere() -> ObjectMeta {
    ObjectMeta { namespace: Some("elsewhere".to_owned()), ..metadata("web-elsewhere", "web") }
}

fn managed_by_another() -> ObjectMeta {
    let owner = OwnerReference {
        api_version: "example.org/v1".to_owned(),
        kind: "Database".to_owned(),
        name: "orders".to_owned(),
        uid: Uid::new("another"),
        controller: Some(true),
        block_owner_deletion: None,
    };
    ObjectMeta { owner_references: vec![owner], ..metadata("web-of-another", "web") }
}

/// Twins, made by a decision made twice, would be more.
fn at_most_asked(cluster: &Cluster) -> Result<(), String> {
    const MOST_EVER_ASKED: usize = 5;
    let lives = |pod: &&Arc<Pod>| {
        ours(pod)
            && pod.metadata.namespace.as_deref() == Some(NAMESPACE)
            && !pod.metadata.is_deleting()
            && !pod.status.phase().is_terminal()
    };
    let found = cluster.list::<Pod>().iter().filter(lives).count();
    if found <= MOST_EVER_ASKED { Ok(()) } else { Err(format!("{found} do")) }
}
