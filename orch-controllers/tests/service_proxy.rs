//! Pods to proxy: endpoint slices and the service proxy together, under every fault.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use orch_controllers::endpoint_slice::EndpointSliceController;
use orch_controllers::service_proxy::ServiceProxyController;
use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::object::{ObjectMeta, Pod, Protocol, Service, ServicePort};
use orch_core::proxy::ServiceProxy;
use orch_net::MemoryProxy;
use orch_testkit::fault::{Cluster, Family, Kubelet, Scenario, Step, System};

const ADDRESS: [u8; 4] = [10, 96, 0, 1];

fn metadata(name: &str) -> ObjectMeta {
    let labels = [("app".to_owned(), "web".to_owned())].into();
    ObjectMeta { name: name.to_owned(), namespace: Some("shop".to_owned()), labels, ..ObjectMeta::default() }
}

fn key<T: Object>(name: &str) -> Key {
    Key::new(&T::KIND, Some("shop"), name).expect("a valid name")
}

fn pod(name: &str) -> Pod {
    let mut pod = Pod { metadata: metadata(name), ..Pod::default() };
    pod.spec.containers = serde_json::from_str(r#"[{"name": "main", "image": "web:1"}]"#).expect("a container");
    pod
}

fn service() -> Service {
    let mut service = Service { metadata: metadata("web"), ..Service::default() };
    service.spec.cluster_ip = Some(Ipv4Addr::from(ADDRESS).to_string());
    service.spec.selector.insert("app".to_owned(), "web".to_owned());
    service.spec.ports = vec![ServicePort { port: 80, ..ServicePort::default() }];
    service
}

/// A service that is led to from somewhere else.
fn at(address: &str) -> Service {
    let mut service = service();
    service.spec.selector.clear();
    service.spec.cluster_ip = Some(address.to_owned());
    service
}

/// Where connections to the service go.
fn served(proxy: &MemoryProxy, port: u16) -> BTreeSet<SocketAddr> {
    let client = IpAddr::from([10, 0, 0, 1]);
    let connections = (0..8).map(|_| proxy.connect(Protocol::Tcp, client, (ADDRESS, port).into()));
    connections.flatten().map(|connection| connection.endpoint()).collect()
}

fn system(_: &Cluster) -> System {
    let proxy = Arc::new(MemoryProxy::default());
    let of_controller = Arc::clone(&proxy);
    System::new()
        .controller(|| Arc::new(EndpointSliceController::default()))
        .controller(move || {
            let proxy: Arc<dyn ServiceProxy> = of_controller.clone();
            Arc::new(ServiceProxyController::new(proxy, None))
        })
        .actor(Kubelet::new())
        .outside("where port 80 goes", {
            let proxy = Arc::clone(&proxy);
            move || format!("{:?}", served(&proxy, 80))
        })
        .outside("where port 81 goes", move || format!("{:?}", served(&proxy, 81)))
}

fn the_proxy_follows_pods_and_services_under_every_fault() -> Scenario {
    Scenario::new("pods to proxy", system)
        .unpaired(
            Family::Late,
            "what an old owner does late, after a new one that saw too little, stands: a sync has nothing that tells \
             owners apart, so a proxy must have one owner at a time",
        )
        .invalid(at("no address"))
        .object(pod("web-1"))
        .object(service())
        .step(Step::create(pod("web-2")))
        .step(Step::delete::<Pod>(&key::<Pod>("web-1")))
        .step(Step::update::<Service>("the port changes", &key::<Service>("web"), |service| {
            service.spec.ports[0].port = 81;
        }))
}

fn scenarios() -> Vec<Scenario> {
    vec![the_proxy_follows_pods_and_services_under_every_fault()]
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}
