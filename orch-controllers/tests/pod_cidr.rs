//! The giver of pod ranges under every fault at every point.

use std::sync::Arc;
use std::time::Duration;

use orch_controllers::pod_cidr::{NodeRanges, PodCidrConfig, PodCidrController};
use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::network::Cidr;
use orch_core::object::{Node, ObjectMeta, PodCidr, PodCidrSpec};
use orch_testkit::fault::{Cluster, Scenario, Step, System};

const REST: Duration = Duration::from_secs(60);

fn ranges(range: &str, bits: u8) -> NodeRanges {
    NodeRanges { range: range.parse().expect("a range"), bits }
}

fn system_of(ranges: &[NodeRanges]) -> impl Fn(&Cluster) -> System + Send + Sync + 'static {
    let config = PodCidrConfig { ranges: ranges.to_vec(), rest: REST };
    move |cluster| {
        let (store, config) = (Arc::clone(cluster.client().store()), config.clone());
        System::new().controller(move || {
            Arc::new(PodCidrController::new(Arc::clone(&store), config.clone()).expect("a controller"))
        })
    }
}

fn scenario(name: &'static str, ranges: &[NodeRanges]) -> Scenario {
    Scenario::new(name, system_of(ranges))
        .horizon(Duration::from_secs(900))
        .always("no range is two nodes'", no_range_is_shared)
}

fn node(name: &str, range: Option<&str>) -> Node {
    let mut node = Node::default();
    node.metadata.name = name.to_owned();
    node.spec.pod_cidr = range.map(str::to_owned);
    node.spec.pod_cidrs.extend(range.map(str::to_owned));
    node
}

fn node_key(name: &str) -> Key {
    Key::new(&Node::KIND, None, name).expect("a name")
}

fn no_range_is_shared(cluster: &Cluster) -> Result<(), String> {
    let mut taken: Vec<(Cidr, String)> = Vec::new();
    for node in cluster.list::<Node>() {
        for range in node.spec.pod_cidrs.iter().filter_map(|range| range.parse::<Cidr>().ok()) {
            if let Some((other, whose)) = taken.iter().find(|(other, _)| other.overlaps(&range)) {
                return Err(format!("{} has {range}, and {whose} has {other}", node.metadata.name));
            }
            taken.push((range, node.metadata.name.clone()));
        }
    }
    Ok(())
}

fn every_node_gets_a_range_of_each_family_and_leaves_what_it_has() -> Scenario {
    scenario("pod ranges: two families", &[ranges("10.244.0.0/16", 24), ranges("fd00::/48", 64)])
        .object(node("a", None))
        .object(node("b", None))
        .step(Step::create(node("c", None)))
        .step(Step::delete::<Node>(&node_key("a")))
}

fn the_last_range_goes_from_a_node_that_is_gone_to_the_next_after_its_rest() -> Scenario {
    scenario("pod ranges: the last one", &[ranges("10.244.0.0/24", 24)])
        .object(node("first", None))
        .step(Step::create(node("second", None)))
        .step(Step::delete::<Node>(&node_key("first")))
}

fn a_node_that_comes_back_has_its_range_at_once() -> Scenario {
    scenario("pod ranges: back before the rest is over", &[ranges("10.244.0.0/23", 24)])
        .object(node("a", None))
        .step(Step::delete::<Node>(&node_key("a")))
        .step(Step::create(node("a", None)).as_soon_as(|cluster| cluster.list::<Node>().is_empty()))
}

fn what_nodes_have_from_elsewhere_is_put_on_record() -> Scenario {
    let metadata = ObjectMeta { name: "10.244.1.0-24".to_owned(), ..ObjectMeta::default() };
    let nonsense = PodCidr { metadata, spec: PodCidrSpec { cidr: "ten".to_owned(), node_name: "no/node".to_owned() } };
    scenario("pod ranges: from elsewhere", &[ranges("10.244.0.0/22", 24)])
        .object(node("old", Some("10.244.1.0/24")))
        .bystander(node("outside", Some("192.168.0.0/24")))
        .invalid(nonsense)
        .invalid(node("strange", Some("ten")))
        .step(Step::create(node("new", None)))
        .step(Step::delete::<Node>(&node_key("old")))
}

fn scenarios() -> Vec<Scenario> {
    vec![
        every_node_gets_a_range_of_each_family_and_leaves_what_it_has(),
        the_last_range_goes_from_a_node_that_is_gone_to_the_next_after_its_rest(),
        a_node_that_comes_back_has_its_range_at_once(),
        what_nodes_have_from_elsewhere_is_put_on_record(),
    ]
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}
