//! What the node says about itself.

use std::time::Duration;

use orch_core::client::Precondition;
use orch_core::object::{Quantity, Taint, Uid};
use orch_core::revision::Revision;

use super::*;

fn config() -> NodeAgentConfig {
    let mut config = NodeAgentConfig::new("node-1", [192, 168, 0, 1].into());
    config.capacity.insert("cpu".into(), Quantity::from_units(4));
    config.allocatable.insert("cpu".into(), Quantity::from_units(3));
    config
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

/// As a store would give it back.
fn stored<T: orch_core::kind::Object>(mut object: T) -> Arc<T> {
    object.metadata_mut().uid = Some(Uid::new("uid"));
    object.metadata_mut().revision = Some(Revision(7));
    Arc::new(object)
}

/// The node and the lease after the plan was performed, and how many writes it took.
fn after(
    node: Option<&Arc<Node>>,
    lease: Option<&Arc<Lease>>,
    trouble: Option<&str>,
    now: i64,
) -> (Arc<Node>, Arc<Lease>, usize) {
    let config = config();
    let look = Look { config: &config, node, lease, metrics: None, trouble, measured: None, now: at(now) };
    let plan = plan(look).expect("a plan");
    let (mut node, mut lease) = (node.cloned(), lease.cloned());
    let writes = plan.actions.len();
    assert!(plan.revisit_after.is_some_and(|after| after <= Duration::from_secs(10)), "the next heartbeat is planned");
    for action in plan.actions {
        let object = match action {
            Action::Create(object) => object,
            Action::Update { object, on } => {
                assert_eq!(on, Precondition { uid: Uid::new("uid"), revision: Revision(7) });
                object
            }
            other => panic!("the node only writes: {other:?}"),
        };
        match object.downcast_ref::<Node>() {
            Some(new) => node = Some(stored(new.clone())),
            None => lease = Some(stored(object.downcast_ref::<Lease>().expect("a lease").clone())),
        }
    }
    (node.expect("a node"), lease.expect("a lease"), writes)
}

#[test]
fn a_node_registers_itself_and_then_only_shows_that_it_is_alive() {
    let (node, lease, writes) = after(None, None, None, 100);
    assert_eq!(writes, 2);
    assert!(node.status.is_ready());
    assert_eq!(node.status.allocatable("cpu"), Some(&Quantity::from_units(3)));
    assert_eq!(node.status.capacity["cpu"], Quantity::from_units(4));
    assert_eq!(node.metadata.labels["kubernetes.io/hostname"], "node-1");
    assert_eq!(lease.metadata.namespace.as_deref(), Some("kube-node-lease"));
    assert_eq!(lease.spec.duration(), Some(Duration::from_secs(40)));
    assert_eq!(after(Some(&node), Some(&lease), None, 109).2, 0, "nothing is due");
    let (same, renewed, writes) = after(Some(&node), Some(&lease), None, 110);
    assert_eq!((writes, &same), (1, &node));
    assert_eq!(renewed.spec.renew_time.expect("renewed").timestamp(), at(110));
    assert_eq!(after(Some(&node), Some(&renewed), None, 50).2, 2, "a clock set back does not end the heartbeat");
    let fresh = stored(super::renewed(Lease::clone(&lease), &config(), at(400)));
    assert_eq!(after(Some(&node), Some(&fresh), None, 400).2, 1, "now and then the status is confirmed");
}

#[test]
fn what_others_set_on_a_node_stays() {
    let (node, lease, _) = after(None, None, None, 100);
    let mut changed = Node::clone(&node);
    changed.spec.unschedulable = true;
    changed.spec.taints = vec![Taint { key: "example.org/t".into(), ..Taint::default() }];
    changed.metadata.labels.insert("zone".into(), "a".into());
    changed.metadata.labels.insert("kubernetes.io/os".into(), "plan9".into());
    changed.status.capacity.insert("example.org/gpu".into(), Quantity::from_units(2));
    changed.status.conditions.push(NodeCondition { r#type: "DiskPressure".into(), ..NodeCondition::default() });
    let (mended, _, writes) = after(Some(&stored(changed.clone())), Some(&lease), None, 101);
    assert_eq!(writes, 1);
    assert_eq!(mended.metadata.labels["kubernetes.io/os"], std::env::consts::OS, "its own label");
    assert_eq!(mended.metadata.labels["zone"], "a");
    assert_eq!((&mended.spec, &mended.status), (&changed.spec, &changed.status));
}

#[test]
fn a_node_that_cannot_run_pods_says_so_and_why() {
    let (node, lease, _) = after(None, None, None, 100);
    let (down, _, _) = after(Some(&node), Some(&lease), Some("the runtime is unavailable"), 105);
    let ready = find_condition(&down.status.conditions, NodeCondition::READY).expect("a condition");
    assert_eq!(ready.status, ConditionStatus::False);
    assert_eq!(ready.reason.as_deref(), Some("KubeletNotReady"));
    assert_eq!(ready.message.as_deref(), Some("the runtime is unavailable"));
    assert_eq!(ready.last_transition_time.expect("a time").timestamp(), at(105));
    assert!(after(Some(&down), Some(&lease), None, 106).0.status.is_ready());
}

#[test]
fn a_lease_that_somebody_else_holds_is_taken_back() {
    let (node, lease, _) = after(None, None, None, 100);
    let mut other = Lease::clone(&lease);
    other.spec.holder_identity = Some("node-2".into());
    let (_, mine, writes) = after(Some(&node), Some(&stored(other)), None, 101);
    assert_eq!((writes, mine.spec.holder_identity.as_deref()), (1, Some("node-1")));
}
