//! Plans are performed here by hand, one after the other.

use orch_core::clock::Timestamp;
use orch_core::kind::Object;
use orch_core::object::{NodeAddress, NodeAddressType, Uid};
use orch_net::{MemoryNetwork, MemoryRoutes};
use orch_testkit::model::ModelView;
use orch_testkit::suite;

use super::*;

fn show(controller: &PodRoutesController, number: u8) {
    let mut node = Node::default();
    node.metadata.name = format!("node-{number}");
    node.metadata.uid = Some(Uid::new(number.to_string()));
    node.spec.pod_cidrs = vec![format!("10.244.{number}.0/24")];
    let address = format!("192.0.2.{number}");
    node.status.addresses = vec![NodeAddress { r#type: NodeAddressType::InternalIp, address }];
    let key = Object::key(&node).expect("a key");
    controller.observe(&Change::Put { key, object: Arc::new(node), previous: None });
}

/// Performs one plan. Returns the reports, whether there was an effect, and what came of it.
async fn round(controller: &PodRoutesController) -> (Vec<String>, Option<Result<(), String>>) {
    // The controller does not look at it.
    let view = ModelView::default();
    let context = Context { view: &view, now: Timestamp::UNIX_EPOCH };
    let plan = controller.reconcile(&table_key().expect("a key"), context).await.expect("a plan");
    let (mut reports, mut result) = (Vec::new(), None);
    for action in plan.actions {
        match action {
            Action::Report(report) => reports.push(report.message),
            Action::Effect(effect) => result = Some(effect.perform().await.map_err(|error| error.to_string())),
            other => panic!("{other:?}"),
        }
    }
    (reports, result)
}

fn controller() -> (MemoryNetwork, PodRoutesController) {
    let network = MemoryNetwork::default();
    let controller = PodRoutesController::new(Arc::new(MemoryRoutes::new(network.clone())), "node-1");
    (network, controller)
}

#[test]
fn the_routes_are_synced_once_for_each_change_and_once_at_the_start() {
    suite::run(async {
        let (network, controller) = controller();
        assert_eq!(round(&controller).await, (Vec::new(), Some(Ok(()))), "what an earlier run left is taken away");
        assert_eq!(round(&controller).await, (Vec::new(), None));
        (1..=3).for_each(|number| show(&controller, number));
        assert_eq!(round(&controller).await, (Vec::new(), Some(Ok(()))));
        assert_eq!(network.next_hop([10, 244, 3, 9].into()), Some([192, 0, 2, 3].into()));
        assert_eq!(network.next_hop([10, 244, 1, 9].into()), None, "the own node is not led to");
        show(&controller, 3);
        assert_eq!(round(&controller).await, (Vec::new(), None), "nothing changed");
    });
}

#[test]
fn what_others_altered_is_put_right_without_a_change_of_a_node() {
    suite::run(async {
        let (network, controller) = controller();
        (1..=3).for_each(|number| show(&controller, number));
        let mut hints = controller.hints();
        assert_eq!(hints.next().await, table_key(), "at the start");
        round(&controller).await;
        network.remove_route(&"10.244.3.0/24".parse().expect("a range"));
        assert_eq!(hints.next().await, table_key(), "others removed a route");
        assert_eq!(round(&controller).await, (Vec::new(), Some(Ok(()))));
        assert_eq!(network.next_hop([10, 244, 3, 9].into()), Some([192, 0, 2, 3].into()));
        assert_eq!(round(&controller).await, (Vec::new(), None));
    });
}

#[test]
fn a_node_that_the_routes_refuse_does_not_stop_the_others_and_is_reported_and_tried_again() {
    suite::run(async {
        let (network, controller) = controller();
        let range = "10.244.3.0/24".parse().expect("a range");
        network.set_route(range, [192, 0, 2, 99].into(), false);
        (1..=3).for_each(|number| show(&controller, number));
        let (reports, result) = round(&controller).await;
        let failure = result.expect("an effect").expect_err("one is left out");
        assert!(failure.contains("1 of 3 nodes are not led to: the pods of host node-3 cannot be led to"), "{failure}");
        assert_eq!(reports, Vec::<String>::new(), "nobody knows before it was tried");
        assert_eq!(network.next_hop([10, 244, 2, 9].into()), Some([192, 0, 2, 2].into()), "the other is led to");
        let (reports, _) = round(&controller).await;
        assert!(reports[0].starts_with("pods of node node-3 are not led to from node node-1: "), "{reports:?}");
        network.remove_route(&range);
        assert_eq!(round(&controller).await.1, Some(Ok(())));
        assert_eq!(round(&controller).await, (Vec::new(), None));
    });
}
