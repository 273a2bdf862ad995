//! What others do to the tables, and what the proxy does not do to theirs.

use orch_core::proxy::{Affinity, ServicePort};
use orch_testkit::suite::proxy::{Family, ProxyFixture as _};
use orch_testkit::suite::run;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use super::steps::{nft, port, reached, serve, table};
use super::world;

/// What others may do to the tables, in the words of the stock program.
const DEEDS: [&str; 9] = [
    "delete table ip orch-services",
    "flush ruleset",
    "flush chain ip orch-services lead",
    "flush chain ip orch-services prerouting",
    "insert rule ip orch-services lead counter drop",
    "flush set ip orch-services services",
    "flush set ip orch-services services-1",
    "flush map ip orch-services endpoints",
    "flush set ip orch-services masqueraded",
];

#[test]
fn what_others_alter_is_put_right_at_the_next_sync() {
    run(async {
        let world = world(Family::V4);
        let (one, at, node) = (world.start_backend().await, world.service_address(), world.node_port());
        let good = table([("a", ServicePort { node_port: Some(node.port()), ..port(at, &[one]) })]);
        serve(world.inner(), &good).await;
        for deed in DEEDS {
            nft(deed);
            assert_eq!(serve(world.inner(), &good).await.changed, 0, "{deed}: the table is the same");
            assert_eq!(reached(&world, at).await, Some(one), "{deed}: it is served again");
            assert_eq!(reached(&world, node).await, Some(one), "{deed}: the node's port, too");
            assert!(world.inner().last_transaction().expect("it was put right").whole, "{deed}");
            assert!(!world.inner().check().await.expect("it can be looked through"), "{deed}: all is right then");
        }
    });
}

#[test]
fn what_others_alter_is_put_right_by_a_check_and_with_the_next_change() {
    run(async {
        let world = world(Family::V4);
        let (one, two, at) = (world.start_backend().await, world.start_backend().await, world.service_address());
        let node_port = Some(world.node_port().port());
        for deed in DEEDS {
            serve(world.inner(), &table([("a", ServicePort { node_port, ..port(at, &[one]) })])).await;
            assert!(!world.inner().check().await.expect("it can be looked through"), "nobody did anything");
            nft(deed);
            assert!(world.inner().check().await.expect("it can be looked through"), "{deed}: it is noticed");
            assert_eq!(reached(&world, at).await, Some(one), "{deed}: it is served again");
            nft(deed);
            serve(world.inner(), &table([("a", port(at, &[two]))])).await;
            assert_eq!(reached(&world, at).await, Some(two), "{deed}: the next change is made");
        }
    });
}

#[test]
fn tables_of_others_are_left_alone_and_do_not_disturb() {
    run(async {
        let world = world(Family::V4);
        let (one, two, at) = (world.start_backend().await, world.start_backend().await, world.service_address());
        nft("add table ip others");
        nft("add chain ip others input { type filter hook input priority 0 ; }");
        nft("add set ip others orch-services { type ipv4_addr ; }");
        nft("add element ip others orch-services { 192.0.2.7 }");
        nft("add rule ip others input ip saddr @orch-services drop");
        let before = nft("list ruleset");
        serve(world.inner(), &table([("a", port(at, &[one]))])).await;
        nft("add element ip others orch-services { 192.0.2.8 }");
        serve(world.inner(), &table([("a", port(at, &[one, two]))])).await;
        nft("add element ip others orch-services { 192.0.2.9 }");
        serve(world.inner(), &table([("a", port(at, &[two]))])).await;
        assert!(!world.inner().last_transaction().expect("a change").whole, "what others do elsewhere costs nothing");
        nft("delete element ip others orch-services { 192.0.2.9 }");
        assert!(!world.inner().check().await.expect("it can be looked through"), "nor is it taken for an alteration");
        nft("delete element ip others orch-services { 192.0.2.8 }");
        assert_eq!(reached(&world, at).await, Some(two));
        assert_eq!(nft("list table ip others"), before.trim_end().to_owned() + "\n");
        world.proxy().clear().await.expect("it can be cleared");
        assert_eq!(nft("list ruleset"), before, "after clear there is what was there before");
    });
}

#[test]
fn what_the_kernel_refuses_changes_nothing() {
    run(async {
        let world = world(Family::V4);
        let (one, two, at) = (world.start_backend().await, world.start_backend().await, world.service_address());
        serve(world.inner(), &table([("a", port(at, &[one]))])).await;
        let before = nft("list ruleset");
        let mine = capabilities(None).expect("a thread knows its capabilities");
        let mut fewer = mine;
        fewer.effective.remove(CapabilitySet::NET_ADMIN);
        set_capabilities(None, fewer).expect("a thread may do without");
        let refused = world.proxy().sync(table([("a", port(at, &[two]))])).await;
        set_capabilities(None, mine).expect("a thread may take up again what it may have");
        let error = refused.expect_err("the kernel refuses");
        assert!(error.to_string().contains("CAP_NET_ADMIN") && !error.is_transient(), "{error}");
        assert_eq!(nft("list ruleset"), before, "nothing changed");
        assert_eq!(reached(&world, at).await, Some(one), "what was served before is served on");
        serve(world.inner(), &table([("a", port(at, &[two]))])).await;
        assert_eq!(reached(&world, at).await, Some(two), "the change is not forgotten");
    });
}

#[test]
fn clients_beyond_those_that_can_be_remembered_are_served_all_the_same() {
    run(async {
        let config = orch_net::NftablesConfig { clients_max: 4, ..orch_net::NftablesConfig::default() };
        let world = orch_testkit::suite::proxy::Kernel::new(Family::V4, || orch_net::NftablesProxy::new(config));
        let (one, two, at) = (world.start_backend().await, world.start_backend().await, world.service_address());
        let affinity = Affinity::ClientIp(std::time::Duration::from_secs(60));
        serve(world.inner(), &table([("a", ServicePort { affinity, ..port(at, &[one, two]) })])).await;
        for client in 0..20 {
            assert!(world.connect(client, at).await.is_some(), "client {client} is served");
        }
    });
}
