//! What others change in the proxy's rules is found and put right.

use std::time::Duration;

use orch_core::proxy::{Affinity, ServicePort};
use orch_net::{IptablesConfig, IptablesProxy};
use orch_testkit::suite::proxy::{Family, Kernel, ProxyFixture as _};

use crate::node::{config, ours, port, proxy, reached, run, table};

/// Every form of rule.
async fn world_with_rules(proxy: IptablesProxy) -> (Kernel<IptablesProxy>, std::net::SocketAddr) {
    let world = Kernel::new(Family::V4, || proxy);
    let (one, two) = (world.start_backend().await, world.start_backend().await);
    let at = world.service_address();
    let mut mixed = ServicePort { node_port: Some(30_080), ..port(at, &[one, two]) };
    mixed.endpoints[1].is_local = false;
    mixed.affinity = Affinity::ClientIp(Duration::from_secs(60));
    let refused = ServicePort { node_port: Some(30_081), ..port(world.service_address(), &[]) };
    world.proxy().sync(table([("mixed", mixed), ("refused", refused)])).await.expect("a good table");
    (world, at)
}

#[test]
fn rules_stand_as_they_were_written() {
    orch_testkit::suite::run(async {
        let (world, _) = world_with_rules(proxy()).await;
        assert_eq!(world.inner().check().await.expect("it is read"), 0, "{}", ours());
    });
}

#[test]
fn what_others_changed_is_put_right() {
    orch_testkit::suite::run(async {
        let (world, at) = world_with_rules(proxy()).await;
        let right = ours();
        for (what, arguments) in [
            ("all rules of the table are gone", "-t nat -F"),
            ("no packet comes to the rules", "-t nat -D PREROUTING 1"),
            ("a rule is gone", "-t nat -D ORCH-ADDRESSES 1"),
            ("a rule is added", "-t nat -I ORCH-SERVICES -j RETURN"),
            ("a rule is altered", "-t nat -R ORCH-MARK 1 -j MARK --set-xmark 0x1/0x1"),
            ("refusals are gone", "-F"),
        ] {
            run("iptables", arguments, "");
            assert_ne!(ours(), right, "{what}");
            assert!(world.inner().check().await.expect("it is read and put right") > 0, "{what}: it is seen");
            assert_eq!(ours(), right, "{what}");
            assert!(reached(&world, at).await.is_some(), "{what}");
            assert_eq!(world.inner().check().await.expect("it is read"), 0, "{what}: it is right");
        }
    });
}

#[test]
fn it_is_looked_after_without_being_asked() {
    orch_testkit::suite::run(async {
        let often = IptablesConfig { check_interval: Some(Duration::from_millis(50)), ..config() };
        let (world, at) = world_with_rules(IptablesProxy::new(often)).await;
        let right = ours();
        run("iptables", "-t nat -F", "");
        let repaired = async {
            while ours() != right {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), repaired).await.expect("it is put right soon");
        assert!(reached(&world, at).await.is_some());
    });
}

#[test]
fn a_sync_after_others_removed_everything_serves_the_new_table() {
    orch_testkit::suite::run(async {
        let (world, at) = world_with_rules(proxy()).await;
        run("iptables", "-t nat -F", "");
        run("iptables", "-t nat -X", "");
        let (one, other) = (world.start_backend().await, world.service_address());
        let next = table([("mixed", port(at, &[one])), ("new", port(other, &[one]))]);
        world.proxy().sync(next).await.expect("it is put right");
        assert_eq!(reached(&world, at).await, Some(one));
        assert_eq!(reached(&world, other).await, Some(one));
    });
}
