//! What is somebody else's is never touched.

use orch_core::proxy::ServicePort;
use orch_testkit::suite::proxy::{Family, Kernel, ProxyFixture as _};

use crate::node::{port, proxy, reached, run, saved, table};

const FIREWALL: &str = "*filter
:FIREWALL - [0:0]
-A INPUT -p tcp -m tcp --dport 9999 -m comment --comment \"not; ours\" -j FIREWALL
-A FIREWALL -j RETURN
-A FORWARD -j FIREWALL
COMMIT
*nat
:MASQ - [0:0]
-A POSTROUTING -s 198.51.100.0/24 -j MASQ
-A MASQ -j MASQUERADE
-A PREROUTING -p tcp -m tcp --dport 9998 -j REDIRECT --to-ports 9999
COMMIT
*mangle
-A FORWARD -p tcp -j MARK --set-xmark 0x7/0x7
COMMIT
";

const FIREWALL_6: &str = "*filter
:FIREWALL - [0:0]
-A FORWARD -j FIREWALL
COMMIT
*nat
-A POSTROUTING -s 2001:db8::/32 -j MASQUERADE
COMMIT
";

fn without_ours(saved: &str) -> String {
    saved.lines().filter(|line| !line.contains("ORCH-")).map(|line| line.to_owned() + "\n").collect()
}

#[test]
fn a_firewall_beside_it_is_not_touched_and_clear_leaves_the_tables_as_they_were() {
    orch_testkit::suite::run(async {
        let world = Kernel::new(Family::V4, proxy);
        run("iptables-restore", "", FIREWALL);
        run("ip6tables-restore", "", FIREWALL_6);
        let before = saved();
        let (one, at, other) = (world.start_backend().await, world.service_address(), world.service_address());
        let both = |mut port: ServicePort| {
            port.addresses.insert("fd00:96::1".parse().expect("an address"));
            ServicePort { node_port: Some(30_080), ..port }
        };
        for ports in [[both(port(at, &[one])), port(other, &[])], [both(port(at, &[])), port(other, &[one])]] {
            let [a, b] = ports;
            world.proxy().sync(table([("a", a), ("b", b)])).await.expect("a good table");
            let now = saved();
            assert_eq!(without_ours(&now), before, "what is not ours is as it was");
            assert!(now.contains("-j ORCH-SERVICES"));
        }
        assert_eq!(reached(&world, other).await, Some(one));
        world.proxy().sync(table([])).await.expect("a good table");
        assert_eq!(saved(), before, "without services there is nothing");
        world.proxy().sync(table([("b", port(other, &[one]))])).await.expect("a good table");
        world.proxy().clear().await.expect("it can be cleared");
        assert_eq!(saved(), before, "clear leaves no trace");
    });
}

#[test]
fn a_rule_of_somebody_else_that_leads_to_a_chain_of_ours_stops_nothing() {
    orch_testkit::suite::run(async {
        let world = Kernel::new(Family::V4, proxy);
        let (one, at, other) = (world.start_backend().await, world.service_address(), world.service_address());
        world.proxy().sync(table([("a", port(at, &[one])), ("b", port(other, &[one]))])).await.expect("a good table");
        let chains = saved();
        let chain = chains.lines().find_map(|line| line.strip_prefix(":ORCH-S-")).expect("a service has a chain");
        let chain = format!("ORCH-S-{}", chain.split(' ').next().unwrap_or_default());
        run("iptables", "-t nat -N THEIRS", "");
        run("iptables", &format!("-t nat -A THEIRS -j {chain}"), "");
        world.proxy().sync(table([])).await.expect("the chain stays, and nothing else");
        assert_eq!(reached(&world, at).await, None);
        world.proxy().sync(table([("a", port(at, &[one]))])).await.expect("a good table");
        assert_eq!(reached(&world, at).await, Some(one));
    });
}
