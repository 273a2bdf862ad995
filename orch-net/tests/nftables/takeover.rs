//! A proxy that begins where another one ended.

use std::time::Duration;

use orch_core::object::Protocol;
use orch_core::proxy::{Affinity, ServicePort};
use orch_net::{NftablesConfig, NftablesProxy};
use orch_testkit::suite::proxy::{Caller, Family, ProxyFixture as _};
use orch_testkit::suite::run;

use super::steps::{nft, port, reached, serve, table};
use super::world;

#[test]
fn a_new_proxy_takes_over_what_an_earlier_one_left() {
    run(async {
        for family in [Family::V4, Family::V6] {
            let world = world(family);
            let (one, two) = (world.start_backend().await, world.start_backend().await);
            let (kept, gone) = (world.service_address(), world.service_address());
            let earlier = NftablesProxy::default();
            serve(&earlier, &table([("a", port(kept, &[one])), ("b", port(gone, &[one]))])).await;
            let mut connection = world.connect(1, kept).await.expect("an endpoint is ready");
            drop(earlier);
            assert_eq!(reached(&world, kept).await, Some(one), "it is served while there is no proxy");

            serve(world.inner(), &table([("a", port(kept, &[two]))])).await;
            assert_eq!(reached(&world, kept).await, Some(two), "the new table is served");
            assert_eq!(reached(&world, gone).await, None, "and nothing else");
            assert!(connection.is_open().await, "connections go on");
            assert_eq!(nft("list tables").lines().count(), 2, "there is one table a family");
        }
    });
}

#[test]
fn a_new_proxy_leads_datagrams_anew_that_an_earlier_one_led_elsewhere() {
    run(async {
        let world = world(Family::V4);
        let (one, two) = (world.start_datagram_backend().await, world.start_datagram_backend().await);
        let at = world.service_address();
        let udp = |backend| table([("a", ServicePort { protocol: Protocol::Udp, ..port(at, &[backend]) })]);
        let earlier = NftablesProxy::default();
        serve(&earlier, &udp(one)).await;
        let mut socket = world.send_datagrams_as(Caller::Client(1), at).await;
        assert_eq!(socket.ask().await, Some(one));
        drop(earlier);
        serve(world.inner(), &udp(two)).await;
        assert_eq!(socket.ask().await, Some(two));
    });
}

#[test]
fn two_proxies_with_names_of_their_own_do_not_disturb_each_other() {
    run(async {
        let world = world(Family::V4);
        let (one, a, b) = (world.start_backend().await, world.service_address(), world.service_address());
        let table_name = "others".parse().expect("a name");
        let other = NftablesProxy::new(NftablesConfig { table: table_name, ..NftablesConfig::default() });
        serve(&other, &table([("a", port(a, &[one]))])).await;
        serve(world.inner(), &table([("b", port(b, &[one]))])).await;
        for at in [a, b] {
            assert_eq!(reached(&world, at).await, Some(one));
        }
        world.proxy().clear().await.expect("it can be cleared");
        assert_eq!(reached(&world, a).await, Some(one), "the other's is still there");
        assert_eq!(reached(&world, b).await, None);
    });
}

#[test]
fn the_stock_program_can_show_the_tables() {
    run(async {
        for family in [Family::V4, Family::V6] {
            let world = world(family);
            let (one, two, at) = (world.start_backend().await, world.start_backend().await, world.service_address());
            let affinity = Affinity::ClientIp(Duration::from_secs(60));
            let node_port = Some(world.node_port().port());
            let keeping = ServicePort { affinity, node_port, ..port(at, &[one, two]) };
            let plain =
                ServicePort { node_port: Some(world.node_port().port()), ..port(world.service_address(), &[one]) };
            let none = port(world.service_address(), &[]);
            serve(world.inner(), &table([("a", keeping), ("b", plain), ("c", none)])).await;
            let shown = nft("list ruleset");
            for part in [one.ip().to_string(), "numgen random mod 2".to_owned(), "masquerade".to_owned()] {
                assert!(shown.contains(&part), "{part} in {shown}");
            }
            assert_eq!(shown.matches("table ip").count(), 2, "one table a family");
        }
    });
}
