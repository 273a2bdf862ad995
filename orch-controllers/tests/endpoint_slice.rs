//! The endpoint slice controller under every fault, at every point.

use std::sync::Arc;

use orch_controllers::endpoint_slice::EndpointSliceController;
use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::object::{EndpointSlice, IntOrString, ObjectMeta, Pod, Service, ServicePort};
use orch_testkit::fault::{Cluster, Kubelet, Scenario, Step, System};

fn metadata(name: &str, app: Option<&str>) -> ObjectMeta {
    let labels = app.map(|app| ("app".to_owned(), app.to_owned())).into_iter().collect();
    ObjectMeta { name: name.to_owned(), namespace: Some("shop".to_owned()), labels, ..ObjectMeta::default() }
}

fn key<T: Object>(name: &str) -> Key {
    Key::new(&T::KIND, Some("shop"), name).expect("a valid name")
}

fn pod(name: &str, app: &str) -> Pod {
    let mut pod = Pod { metadata: metadata(name, Some(app)), ..Pod::default() };
    pod.spec.containers = serde_json::from_str(r#"[{"name": "main", "image": "web:1"}]"#).expect("a container");
    pod
}

fn service() -> Service {
    let mut service = Service { metadata: metadata("web", None), ..Service::default() };
    service.spec.selector.insert("app".to_owned(), "web".to_owned());
    service.spec.ports = vec![ServicePort { port: 80, ..ServicePort::default() }];
    service
}

fn without_selector() -> Service {
    let mut service = Service { metadata: metadata("no-selector", None), ..service() };
    service.spec.selector.clear();
    service
}

fn without_ports() -> Service {
    let mut service = Service { metadata: metadata("no-ports", None), ..service() };
    service.spec.ports.clear();
    service
}

/// No slice of the service speaks of a pod that the service never selected.
fn only_selected_pods(cluster: &Cluster) -> Result<(), String> {
    let slices = cluster.list::<EndpointSlice>();
    let targets = slices.iter().flat_map(|slice| &slice.endpoints).filter_map(|endpoint| endpoint.target_ref.as_ref());
    match targets.filter_map(|target| target.name.as_deref()).find(|name| name.starts_with("other")) {
        Some(name) => Err(format!("{name} was never selected")),
        None => Ok(()),
    }
}

fn system(_: &Cluster) -> System {
    System::new().controller(|| Arc::new(EndpointSliceController::default())).actor(Kubelet::new())
}

fn slices_follow_pods_and_their_service_under_every_fault() -> Scenario {
    Scenario::new("endpoint slices", system)
        .object(pod("web-1", "web"))
        .object(pod("web-2", "web"))
        .bystander(without_selector())
        .invalid(without_ports())
        .object(pod("other-1", "other"))
        .always("only selected pods are endpoints", only_selected_pods)
        .step(Step::create(service()))
        .step(Step::create(pod("web-3", "web")))
        .step(Step::delete::<Pod>(&key::<Pod>("web-1")))
        .step(Step::update::<Service>("the target port changes", &key::<Service>("web"), |service| {
            service.spec.ports[0].target_port = Some(IntOrString::Int(8080));
        }))
        .step(Step::update::<Pod>("a pod loses the label", &key::<Pod>("web-2"), |pod| pod.metadata.labels.clear()))
        .step(Step::delete::<Pod>(&key::<Pod>("web-3")))
}

fn scenarios() -> Vec<Scenario> {
    vec![slices_follow_pods_and_their_service_under_every_fault()]
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}
