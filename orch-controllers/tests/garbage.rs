//! The garbage controller under every fault at every point.

use futures::FutureExt as _;
use orch_controllers::garbage::GarbageController;
use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::object::{Container, Deployment, OwnerReference, Pod, ReplicaSet};
use orch_testkit::fault::{Cluster, Scenario, Step, System};
use std::sync::Arc;

fn system(cluster: &Cluster) -> System {
    let store = Arc::clone(cluster.client().store());
    System::new().controller(move || {
        let garbage = GarbageController::without_kinds(Arc::clone(&store));
        Arc::new(garbage.kind::<Deployment>().kind::<ReplicaSet>().kind::<Pod>())
    })
}

fn key<T: Object>(name: &str) -> Key {
    Key::new(&T::KIND, Some("shop"), name).expect("a name")
}

fn container() -> Container {
    Container { name: "web".to_owned(), image: Some("web".to_owned()), ..Container::default() }
}

fn replica_set(name: &str, finalizers: &[&str]) -> ReplicaSet {
    let mut set: ReplicaSet = serde_json::from_value(serde_json::json!({
        "metadata": {"name": name, "namespace": "shop", "finalizers": finalizers},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
        },
    }))
    .expect("a replica set");
    set.spec.template.spec.containers.push(container());
    set
}

fn deployment(name: &str, finalizers: &[&str]) -> Deployment {
    let mut deployment: Deployment = serde_json::from_value(serde_json::json!({
        "metadata": {"name": name, "namespace": "shop", "finalizers": finalizers},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
        },
    }))
    .expect("a deployment");
    deployment.spec.template.spec.containers.push(container());
    deployment
}

fn pod(name: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = name.to_owned();
    pod.metadata.namespace = Some("shop".to_owned());
    pod.spec.containers.push(container());
    pod
}

/// A pod with a reference to an owner that cannot be.
fn owned_by(kind: &str, name: &str) -> Pod {
    let mut pod = pod("owned");
    pod.metadata.owner_references.push(OwnerReference {
        api_version: ReplicaSet::KIND.api_version.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        ..OwnerReference::default()
    });
    pod
}

/// Creates an object that the one at `owners` own, the first as the one that manages it.
fn create_owned<T: Object, Owner: Object>(object: T, owners: &[&str]) -> Step {
    let owners: Vec<Key> = owners.iter().map(|name| key::<Owner>(name)).collect();
    Step::new(format!("create {} owned by {owners:?}", object.metadata().name), move |cluster| {
        let mut object = object.clone();
        for (index, owner) in owners.iter().enumerate() {
            let owner = cluster.get::<Owner>(owner).expect("the owner is there");
            let mut reference = OwnerReference::controller_of(&*owner);
            reference.controller = (index == 0).then_some(true);
            object.metadata_mut().owner_references.push(reference);
        }
        cluster.create(object).boxed()
    })
}

/// No object is removed that has a living owner.
fn nothing_owned_is_missing(expected: &'static [&'static str]) -> impl Fn(&Cluster) -> Result<(), String> {
    move |cluster| {
        let alive = |name: &&&str| cluster.get::<ReplicaSet>(&key::<ReplicaSet>(name)).is_some();
        for owner in expected.iter().filter(alive) {
            let owner_key = key::<ReplicaSet>(owner);
            let uid = cluster.get::<ReplicaSet>(&owner_key).and_then(|set| set.metadata.uid.clone());
            let created = cluster.list::<Pod>().iter().any(|pod| pod.metadata.name == format!("{owner}-seen"));
            let owned = cluster.list::<Pod>().iter().any(|pod| {
                pod.metadata.name == format!("{owner}-1")
                    && uid.as_ref().is_some_and(|uid| pod.metadata.is_controlled_by(uid))
            });
            if created && !owned {
                return Err(format!("{owner}-1 is gone and {owner} is not"));
            }
        }
        Ok(())
    }
}

fn what_is_owned_goes_with_its_last_owner_and_not_before() -> Scenario {
    Scenario::new("garbage: owners go one after the other", system)
        .bystander(pod("bare"))
        .invalid(owned_by("ReplicaSet", "no/name"))
        .invalid(owned_by("NoKind", "a"))
        .object(replica_set("a", &[]))
        .step(create_owned::<_, ReplicaSet>(pod("a-1"), &["a"]))
        .step(Step::create(replica_set("b", &[])))
        .step(create_owned::<_, ReplicaSet>(pod("ab-1"), &["a", "b"]))
        .step(Step::delete::<ReplicaSet>(&key::<ReplicaSet>("a")))
        .step(Step::delete::<ReplicaSet>(&key::<ReplicaSet>("b")))
}

fn an_object_whose_owner_is_younger_than_the_view_stays() -> Scenario {
    // "a-seen" marks that "a-1" was created, so the invariant knows that it must be there.
    Scenario::new("garbage: owner and owned created just now", system)
        .object(pod("old"))
        .step(Step::create(replica_set("a", &[])))
        .step(create_owned::<_, ReplicaSet>(pod("a-1"), &["a"]).as_soon_as(|_| true))
        .step(Step::create(pod("a-seen")).as_soon_as(|_| true))
        .step(Step::update::<Pod>("label", &key::<Pod>("a-1"), |pod| {
            pod.metadata.labels.insert("tier".to_owned(), "front".to_owned());
        }))
        .always("what has a living owner stays", nothing_owned_is_missing(&["a"]))
        .step(Step::delete::<Pod>(&key::<Pod>("old")))
}

fn an_owner_of_the_same_name_and_another_uid_is_another_owner() -> Scenario {
    Scenario::new("garbage: same name, new uid", system)
        .object(replica_set("a", &[]))
        .step(create_owned::<_, ReplicaSet>(pod("a-1"), &["a"]))
        .step(Step::delete::<ReplicaSet>(&key::<ReplicaSet>("a")))
        .step(Step::create(replica_set("a", &[])).as_soon_as(|cluster| cluster.list::<ReplicaSet>().is_empty()))
        .step(create_owned::<_, ReplicaSet>(pod("a-2"), &["a"]))
}

fn a_deletion_in_the_foreground_goes_from_the_leaves_up() -> Scenario {
    Scenario::new("garbage: foreground", system)
        .object(deployment("web", &[GarbageController::FOREGROUND]))
        .step(create_owned::<_, Deployment>(replica_set("a", &[]), &["web"]))
        .step(create_owned::<_, ReplicaSet>(pod("a-1"), &["a"]))
        .step(create_owned::<_, ReplicaSet>(pod("a-2"), &["a"]))
        .step(Step::delete::<Deployment>(&key::<Deployment>("web")))
        .always("an owner outlives what it owns", |cluster| {
            let (deployments, sets) = (cluster.list::<Deployment>().len(), cluster.list::<ReplicaSet>().len());
            let pods = cluster.list::<Pod>().len();
            let ordered = (pods == 0 || sets > 0) && (sets == 0 || deployments > 0);
            if ordered { Ok(()) } else { Err(format!("there are {deployments}, {sets} and {pods}")) }
        })
}

fn an_owner_that_orphans_leaves_everything_behind() -> Scenario {
    Scenario::new("garbage: orphan", system)
        .object(replica_set("a", &[GarbageController::ORPHAN]))
        .step(create_owned::<_, ReplicaSet>(pod("a-1"), &["a"]))
        .step(create_owned::<_, ReplicaSet>(pod("a-2"), &["a"]).as_soon_as(|_| true))
        .step(Step::delete::<ReplicaSet>(&key::<ReplicaSet>("a")).as_soon_as(|_| true))
        .always("no pod is lost", |cluster| {
            let pods = cluster.list::<Pod>();
            let created = cluster.list::<ReplicaSet>().iter().all(|set| !set.metadata.is_deleting());
            if created || pods.len() == 2 { Ok(()) } else { Err(format!("{} are left", pods.len())) }
        })
}

fn scenarios() -> Vec<Scenario> {
    vec![
        what_is_owned_goes_with_its_last_owner_and_not_before(),
        an_object_whose_owner_is_younger_than_the_view_stays(),
        an_owner_of_the_same_name_and_another_uid_is_another_owner(),
        a_deletion_in_the_foreground_goes_from_the_leaves_up(),
        an_owner_that_orphans_leaves_everything_behind(),
    ]
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}
