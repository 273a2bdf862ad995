//! Pods to names: endpoint slices and the name table together, under every fault.

use std::sync::Arc;
use std::time::Duration;

use orch_controllers::dns::DnsController;
use orch_controllers::endpoint_slice::EndpointSliceController;
use orch_controllers::engine::Engine;
use orch_core::client::Client;
use orch_core::clock::SystemClock;
use orch_core::dns::{Found, NameBoard};
use orch_core::entropy::SeededEntropy;
use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::object::{ObjectMeta, Pod, Service, ServicePort};
use orch_store::MemoryStore;
use orch_testkit::fault::{Cluster, Family, Kubelet, Scenario, Step, System};
use tokio::time::Instant;

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
    pod.spec.hostname = Some(name.to_owned());
    pod.spec.subdomain = Some("each".to_owned());
    pod
}

fn service(name: &str, address: &str) -> Service {
    let mut service = Service { metadata: metadata(name), ..Service::default() };
    service.spec.cluster_ip = Some(address.to_owned());
    service.spec.selector.insert("app".to_owned(), "web".to_owned());
    service.spec.ports = vec![ServicePort { name: Some("http".to_owned()), port: 80, ..ServicePort::default() }];
    service
}

/// What is answered: services, their ports, and their endpoints by name and by address.
fn answers(board: &NameBoard) -> String {
    let Some(table) = board.read() else { return "nothing is known".to_owned() };
    let names = ["each.shop.svc", "_http._tcp.each.shop.svc", "web.shop.svc", "shop.pod"];
    let mut found: Vec<_> = names.iter().map(|name| format!("{name}: {:?}", table.find(name))).collect();
    if let Found::Service { names, .. } = table.find("each.shop.svc") {
        for address in &names.addresses {
            let name = format!("{}.shop.pod", address.to_string().replace('.', "-"));
            let reverse = table.names_of(*address).map(|names| names.collect::<Vec<_>>());
            found.push(format!("{name}: {:?}, {address}: {reverse:?}", table.find(&name)));
        }
    }
    found.join("; ")
}

fn system(_: &Cluster) -> System {
    let board = Arc::new(NameBoard::default());
    let of_controller = Arc::clone(&board);
    System::new()
        .controller(|| Arc::new(EndpointSliceController::default()))
        .controller(move || Arc::new(DnsController::new(Arc::clone(&of_controller))))
        .actor(Kubelet::new())
        .outside("what names lead to", move || answers(&board))
}

fn names_follow_pods_and_services_under_every_fault() -> Scenario {
    Scenario::new("pods to names", system)
        .unpaired(
            Family::Late,
            "what an old owner does late, after a new one that saw too little, stands: publishing has nothing that tells \
             owners apart, so a board must have one owner at a time",
        )
        .invalid(service("wrong", "no address"))
        .object(pod("web-1"))
        .object(service("web", "10.96.0.1"))
        .object(service("each", "None"))
        .step(Step::create(pod("web-2")))
        .step(Step::delete::<Pod>(&key::<Pod>("web-1")))
        .step(Step::update::<Service>("the port changes", &key::<Service>("web"), |service| {
            service.spec.ports[0].port = 81;
        }))
        .step(Step::delete::<Service>(&key::<Service>("each")))
}

#[tokio::test]
async fn a_change_in_the_store_is_on_the_board_at_once() {
    const ROUNDS: usize = 200;
    let (store, board) = (Arc::new(MemoryStore::default()), Arc::new(NameBoard::default()));
    let client = Client::new(store, Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)));
    let controller = Arc::new(DnsController::new(Arc::clone(&board)));
    let engine = Engine::builder(client.clone()).controller(controller).start().expect("one controller");
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        let name = format!("web-{round}");
        let new = service(&name, &format!("10.96.0.{}", round + 1));
        let name = format!("{name}.shop.svc");
        client.create(new).await.expect("it is new");
        let start = Instant::now();
        while board.read().is_none_or(|table| table.find(&name) == Found::Nothing) {
            assert!(start.elapsed() < Duration::from_secs(10), "{name} is not on the board");
            tokio::task::yield_now().await;
        }
        took.push(start.elapsed());
    }
    took.sort();
    let (median, late) = (took[ROUNDS / 2], took[ROUNDS * 99 / 100]);
    println!("from the end of a write to the name on the board: median {median:?}, 99 % {late:?}");
    // Generous: the machine may be busy with something else.
    assert!(median < Duration::from_millis(20), "{median:?}");
    engine.shutdown().await;
}

fn scenarios() -> Vec<Scenario> {
    vec![names_follow_pods_and_services_under_every_fault()]
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}
