//! The namespace controller under every fault at every point.

use std::sync::Arc;

use futures::FutureExt as _;
use orch_controllers::namespace::NamespaceController;
use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::object::{Lease, Namespace, Pod, Service};
use orch_testkit::fault::{Cluster, Kubelet, Scenario, Step, System};

fn system(cluster: &Cluster) -> System {
    let store = Arc::clone(cluster.client().store());
    let controller = move || NamespaceController::without_kinds(Arc::clone(&store));
    System::new()
        .controller(move || Arc::new(controller().kind::<Pod>().kind::<Service>().kind::<Lease>()))
        .actor(Kubelet::new())
}

fn namespace(name: &str) -> Namespace {
    let mut namespace = Namespace::default();
    namespace.metadata.name = name.to_owned();
    namespace
}

fn namespace_key(name: &str) -> Key {
    Key::new(&Namespace::KIND, None, name).expect("a name")
}

fn object<T: Object>(namespace: &str, name: &str, spec: &serde_json::Value) -> T {
    let json = serde_json::json!({"metadata": {"name": name, "namespace": namespace}, "spec": spec});
    serde_json::from_value(json).expect("an object")
}

fn pod(namespace: &str, name: &str) -> Pod {
    object(namespace, name, &serde_json::json!({"containers": [{"name": "web", "image": "web"}]}))
}

fn service(namespace: &str, name: &str) -> Service {
    object(namespace, name, &serde_json::json!({"selector": {"app": "web"}, "ports": [{"port": 80}]}))
}

fn lease(namespace: &str, name: &str) -> Lease {
    object(namespace, name, &serde_json::json!({"holderIdentity": "me"}))
}

fn pods_outlive_nothing(cluster: &Cluster) -> Result<(), String> {
    let is_gone = |name: &str| cluster.get::<Namespace>(&namespace_key(name)).is_none();
    let deleting = cluster.get::<Namespace>(&namespace_key("shop")).is_none_or(|shop| shop.metadata.is_deleting());
    let count = |of_shop: usize| if deleting { of_shop } else { 0 };
    let in_shop = |namespace: Option<&str>| namespace == Some("shop");
    let pods = count(cluster.list::<Pod>().iter().filter(|pod| in_shop(pod.metadata.namespace.as_deref())).count());
    let services = cluster.list::<Service>().iter().filter(|s| in_shop(s.metadata.namespace.as_deref())).count();
    if pods > 0 && services == 0 {
        return Err(format!("{pods} pods are left and no service"));
    }
    if is_gone("shop") && pods + services > 0 {
        return Err("the namespace is gone and not empty".to_owned());
    }
    Ok(())
}

fn a_deleted_namespace_goes_after_all_that_is_in_it_pods_before_services() -> Scenario {
    let mut nameless = namespace("held-by-nobody");
    nameless.metadata.finalizers.push(String::new());
    Scenario::new("namespace: deletion in order", system)
        .invalid(nameless)
        .object(namespace("shop"))
        .object(namespace("other"))
        .object(service("shop", "web"))
        .object(pod("shop", "web-1"))
        .object(pod("shop", "web-2"))
        .object(lease("shop", "leader"))
        .object(pod("other", "web-1"))
        .step(Step::delete::<Namespace>(&namespace_key("shop")))
        .always("services outlive pods", pods_outlive_nothing)
}

fn what_is_created_in_a_namespace_that_is_being_deleted_goes_too() -> Scenario {
    let is_terminating = |cluster: &Cluster| {
        cluster.get::<Namespace>(&namespace_key("shop")).is_some_and(|namespace| namespace.metadata.is_deleting())
    };
    let if_there = |object: Pod| {
        Step::new("create a pod if the namespace is there", move |cluster| {
            let there = cluster.get::<Namespace>(&namespace_key("shop")).is_some();
            let object = object.clone();
            async move { if there { cluster.create(object).await } else { Ok(()) } }.boxed()
        })
    };
    Scenario::new("namespace: created while terminating", system)
        .object(namespace("shop"))
        .object(service("shop", "web"))
        .step(Step::delete::<Namespace>(&namespace_key("shop")))
        .step(if_there(pod("shop", "late")).as_soon_as(is_terminating))
        .always("services outlive pods", pods_outlive_nothing)
}

fn a_namespace_that_others_hold_is_emptied_and_stays() -> Scenario {
    let mut held = namespace("shop");
    held.metadata.finalizers.push("example.org/audit".to_owned());
    Scenario::new("namespace: held by another finalizer", system)
        .object(held)
        .object(pod("shop", "web-1"))
        .step(Step::delete::<Namespace>(&namespace_key("shop")))
        .step(Step::create(pod("shop", "late")))
        .step(Step::update::<Namespace>("release", &namespace_key("shop"), |namespace| {
            namespace.metadata.finalizers.clear();
        }))
}

fn scenarios() -> Vec<Scenario> {
    vec![
        a_deleted_namespace_goes_after_all_that_is_in_it_pods_before_services(),
        what_is_created_in_a_namespace_that_is_being_deleted_goes_too(),
        a_namespace_that_others_hold_is_emptied_and_stays(),
    ]
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}
