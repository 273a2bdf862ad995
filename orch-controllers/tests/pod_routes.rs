//! Nodes to routes, under every fault at every point.

use std::net::IpAddr;
use std::sync::Arc;

use orch_controllers::pod_routes::PodRoutesController;
use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::network::PodRoutes;
use orch_core::object::{Node, NodeAddress, NodeAddressType};
use orch_net::{MemoryNetwork, MemoryRoutes};
use orch_testkit::fault::{Cluster, Family, Scenario, Step, System};

fn node(number: u8) -> Node {
    let mut node = Node::default();
    node.metadata.name = format!("node-{number}");
    node.spec.pod_cidr = Some(format!("10.244.{number}.0/24"));
    node.spec.pod_cidrs.extend(node.spec.pod_cidr.clone());
    let address = format!("192.0.2.{number}");
    node.status.addresses = vec![NodeAddress { r#type: NodeAddressType::InternalIp, address }];
    node
}

fn key(number: u8) -> Key {
    Key::new(&Node::KIND, None, &format!("node-{number}")).expect("a name")
}

/// A node whose range begins in the middle.
fn wrong() -> Node {
    let mut node = node(9);
    node.spec.pod_cidr = Some("10.244.9.7/24".to_owned());
    node.spec.pod_cidrs = vec!["10.244.9.7/24".to_owned()];
    node
}

fn system(_: &Cluster) -> System {
    let network = MemoryNetwork::default();
    let of_controller = network.clone();
    System::new()
        .controller(move || {
            let routes: Arc<dyn PodRoutes> = Arc::new(MemoryRoutes::new(of_controller.clone()));
            Arc::new(PodRoutesController::new(routes, "node-1"))
        })
        .outside("where packets to pods go", move || {
            let hops = (0..10).map(|number| network.next_hop(IpAddr::from([10, 244, number, 2])));
            format!("{:?}", hops.collect::<Vec<_>>())
        })
}

fn routes_follow_nodes_under_every_fault() -> Scenario {
    Scenario::new("nodes to routes", system)
        .unpaired(
            Family::Late,
            "what an old owner does late, after a new one that saw too little, stands: a sync has nothing that tells \
             owners apart, so a host's routes must have one owner at a time",
        )
        .invalid(wrong())
        .object(node(1))
        .object(node(2))
        .step(Step::create(node(3)))
        .step(Step::update::<Node>("a node moves", &key(2), |node| {
            node.status.addresses[0].address = "192.0.2.22".to_owned();
        }))
        .step(Step::update::<Node>("a node is cordoned", &key(3), |node| node.spec.unschedulable = true))
        .step(Step::delete::<Node>(&key(3)))
}

fn scenarios() -> Vec<Scenario> {
    vec![routes_follow_nodes_under_every_fault()]
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}
