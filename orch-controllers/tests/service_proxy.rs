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
use orch_testkit::fault::{self, Cluster, Family, Kubelet, Scenario, Step, System};
use orch_testkit::suite;

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

#[test]
fn the_proxy_follows_pods_and_services_under_every_fault() {
    let scenario = Scenario::new("pods to proxy", system)
        .object(pod("web-1"))
        .object(service())
        .step(Step::create(pod("web-2")))
        .step(Step::delete::<Pod>(&key::<Pod>("web-1")))
        .step(Step::update::<Service>("the port changes", &key::<Service>("web"), |service| {
            service.spec.ports[0].port = 81;
        }));
    // Every single fault, and no pairs: an old owner's effect that comes late, together with a view that lags, leaves the
    // old owner's table. A sync has nothing that tells owners apart, so a proxy must have one owner at a time.
    let families = Family::ALL.into_iter().filter(|family| *family != Family::Pairs);
    let report = suite::run(fault::explore_families(&scenario, &families.collect::<Vec<_>>()));
    println!("{report}");
    report.assert_none();
}
