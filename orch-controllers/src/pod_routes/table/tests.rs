use orch_core::clock::Timestamp;
use orch_core::kind::Object as _;
use orch_core::object::{NodeAddress, Time, Uid};
use proptest::prelude::*;

use super::*;

fn node(name: &str, age: i64, address: &str, range: &str) -> Node {
    let mut node = Node::default();
    node.metadata.name = name.to_owned();
    node.metadata.uid = Some(Uid::new(name));
    let since = Timestamp::from_second(1_000 - age).expect("a time");
    node.metadata.creation_timestamp = Some(Time::from(since));
    node.spec.pod_cidrs.extend((!range.is_empty()).then(|| range.to_owned()));
    if !address.is_empty() {
        node.status.addresses = vec![
            NodeAddress { r#type: NodeAddressType::Hostname, address: name.to_owned() },
            NodeAddress { r#type: NodeAddressType::InternalIp, address: address.to_owned() },
        ];
    }
    node
}

fn put(index: &mut TableIndex, node: Node) {
    let key = node.key().expect("a key");
    index.apply(&Change::Put { key, object: Arc::new(node), previous: None });
    index.refresh();
}

fn names(index: &TableIndex) -> Vec<&str> {
    index.table().iter().map(|(name, _)| name).collect()
}

#[test]
fn only_what_leads_somewhere_else_is_a_change() {
    let mut index = TableIndex::new("a".to_owned());
    put(&mut index, node("a", 3, "192.0.2.1", "10.244.0.0/24"));
    put(&mut index, node("b", 2, "192.0.2.2", "10.244.1.0/24"));
    // Its agent has not said yet where it is.
    put(&mut index, node("new", 1, "", "10.244.2.0/24"));
    let changes = index.changes();
    assert_eq!(names(&index), ["a", "b", "new"]);
    assert_eq!(index.table().get("new"), Some(&Host::default()));
    let mut ready = node("b", 2, "192.0.2.2", "10.244.1.0/24");
    ready.spec.unschedulable = true;
    put(&mut index, ready);
    assert_eq!(index.changes(), changes, "it is led to whatever else is so of it");
    put(&mut index, node("b", 2, "192.0.2.3", "10.244.1.0/24"));
    assert_eq!(index.changes(), changes + 1, "it moved");
    assert_eq!(index.table().own().map(|own| own.addresses.len()), Some(1));
}

#[test]
fn the_older_node_keeps_what_a_younger_one_claims_and_the_younger_has_it_after() {
    let mut index = TableIndex::new("z".to_owned());
    put(&mut index, node("young", 1, "192.0.2.2", "10.244.0.0/25"));
    put(&mut index, node("old", 9, "192.0.2.1", "10.244.0.0/24"));
    put(&mut index, node("twin", 5, "192.0.2.1", "10.244.9.0/24"));
    assert_eq!(names(&index), ["old"]);
    assert!(index.refused()["young"].contains("its pod range 10.244.0.0/25 overlaps 10.244.0.0/24 of node old"));
    assert!(index.refused()["twin"].contains("its address 192.0.2.1 is that of node old"));
    let old = node("old", 9, "", "");
    let gone = Change::Removed { key: old.key().expect("a key"), previous: Arc::new(old) };
    index.apply(&gone);
    index.refresh();
    assert_eq!(names(&index), ["twin", "young"]);
    assert!(index.refused().is_empty());
}

#[test]
fn what_is_wrong_is_said() {
    for (address, range, said) in [
        ("2001:db8::1", "10.244.0.0/24", "give it an IPv4 address"),
        ("192.0.2.1", "10.244.0.7/24", "does not begin with its first address, which is 10.244.0.0"),
        ("192.0.2.1", "fd00::/64", "is of IPv6"),
        ("here", "10.244.0.0/24", "its InternalIP \"here\" is no address"),
        ("127.0.0.1", "10.244.0.0/24", "other hosts cannot reach it at 127.0.0.1"),
    ] {
        let mut index = TableIndex::new("z".to_owned());
        put(&mut index, node("a", 1, address, range));
        assert!(index.refused()["a"].contains(said), "{:?}", index.refused());
        assert!(index.table().is_empty());
    }
}

proptest! {
    #[test]
    fn the_table_is_valid_and_everybody_is_in_it_or_refused(
        nodes in prop::collection::vec((0..6_u8, 0..9_i64, 0..5_u8, 0..5_u8, 22..26_u8), 0..20)
    ) {
        let mut index = TableIndex::new("0".to_owned());
        let mut there = BTreeSet::new();
        for (name, age, address, range, bits) in nodes {
            let range = Cidr::around([10, 244, range, 0].into(), bits).expect("a range").to_string();
            put(&mut index, node(&name.to_string(), age, &format!("192.0.2.{}", address + 1), &range));
            there.insert(name.to_string());
            prop_assert!(index.table().validate().is_ok());
            for name in &there {
                prop_assert!(index.table().get(name).is_some() != index.refused().contains_key(name));
            }
        }
    }
}
