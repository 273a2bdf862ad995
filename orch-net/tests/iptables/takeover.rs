//! What becomes of rules whose proxy ends.

use std::time::Duration;

use orch_core::proxy::{ServicePort, ServiceProxy as _};
use orch_testkit::suite::proxy::{Family, Kernel, ProxyFixture as _};

use crate::node::{ours, port, proxy, reached, table};

#[test]
fn who_takes_over_finds_what_is_right_and_changes_nothing() {
    orch_testkit::suite::run(async {
        let world = Kernel::new(Family::V4, proxy);
        let (one, two) = (world.start_backend().await, world.start_backend().await);
        let (at, other) = (world.service_address(), world.service_address());
        let good =
            table([("a", ServicePort { node_port: Some(30_080), ..port(at, &[one, two]) }), ("b", port(other, &[]))]);
        world.proxy().sync(good.clone()).await.expect("a good table");
        let mut connection = world.connect(1, at).await.expect("an endpoint is ready");
        let (before, next) = (ours(), proxy());
        assert_eq!(next.check().await.expect("it is read"), 0);
        assert_eq!(ours(), before, "what another one left is not touched before there is a table");
        next.sync(good).await.expect("a good table");
        assert_eq!(next.last_sync().rules, 0);
        assert_eq!(ours(), before);
        next.sync(table([("a", port(at, &[two]))])).await.expect("a good table");
        assert!(connection.is_open().await, "connections go on");
        assert_eq!(reached(&world, at).await, Some(two));
        next.clear().await.expect("it can be cleared");
        assert_eq!(ours(), "");
    });
}

/// The future of a sync is dropped, which kills the program that it waits for, as the end of the process would at any moment.
#[test]
fn a_sync_that_is_killed_leaves_one_table_or_the_other_and_the_next_proxy_takes_over() {
    orch_testkit::suite::run(async {
        let world = Kernel::new(Family::V4, proxy);
        let (one, two) = (world.start_backend().await, world.start_backend().await);
        let places: Vec<_> = (0..40).map(|_| world.service_address()).collect();
        let of = |backend| {
            let mut table = orch_core::proxy::ServiceTable::default();
            for (number, at) in places.iter().enumerate() {
                table.set(crate::node::name(&format!("web-{number}")), Some(port(*at, &[backend])));
            }
            std::sync::Arc::new(table)
        };
        world.proxy().sync(of(one)).await.expect("a good table");
        let mut now = one;
        for round in 0..24 {
            let next = if round % 2 == 0 { two } else { one };
            let dying = proxy();
            let done = tokio::time::timeout(Duration::from_millis(round * 2), dying.sync(of(next))).await.is_ok();
            drop(dying);
            let first = reached(&world, places[0]).await.expect("it is served at every moment");
            assert!(first == next || (!done && first == now), "one table or the other");
            for at in [places[20], places[39]] {
                assert_eq!(reached(&world, at).await, Some(first), "wholly");
            }
            let heir = proxy();
            heir.sync(of(next)).await.expect("it takes over");
            assert_eq!(reached(&world, places[39]).await, Some(next));
            now = next;
        }
        world.inner().check().await.expect("the first proxy finds its way, too");
    });
}
