//! What others do to the tunnel in particular, packets of full size, and hosts that are not on the link.

use std::sync::Arc;

use orch_core::network::{Host, HostTable, PodRoutes as _};
use orch_testkit::suite::proxy::Family;
use orch_testkit::suite::routes::{HOSTS, Kernel, RoutesFixture, whole_table};
use orch_testkit::suite::run;

use super::steps::{asked, ip};
use super::{direct, vxlan};

async fn assert_all_reached(world: &impl RoutesFixture, when: &str) {
    for number in 0..HOSTS {
        let (name, host) = world.host(number);
        assert_eq!(world.reached(host.pod_ranges[0]).await, Some(name), "{when}");
    }
}

#[test]
fn whatever_others_do_to_the_tunnel_is_put_right() {
    run(async {
        let world = vxlan(Family::V4).await;
        let table = whole_table(&world);
        world.routes().sync(Arc::clone(&table)).await.expect("a good table holds");
        let base = world.host(1).1.pod_ranges[0].address(0).expect("a first address");
        let neighbours = asked("ip", &format!("neigh show {base} dev orch-vxlan"));
        let mac = neighbours.split_whitespace().nth(2).expect("it is set").to_owned();
        for (program, words) in [
            ("ip", "link set orch-vxlan mtu 1300".to_owned()),
            ("ip", "link set orch-vxlan down".to_owned()),
            ("ip", "link set orch-vxlan address 02:00:00:00:00:01".to_owned()),
            ("ip", "link set orch-vxlan alias others".to_owned()),
            ("ip", "address flush dev orch-vxlan scope global".to_owned()),
            ("ip", "address add 198.51.100.1/24 dev orch-vxlan".to_owned()),
            ("ip", format!("neigh del {base} dev orch-vxlan")),
            ("ip", format!("neigh replace {base} lladdr 02:00:00:00:00:02 dev orch-vxlan nud permanent")),
            ("bridge", format!("fdb del {mac} dev orch-vxlan")),
            ("bridge", format!("fdb replace {mac} dev orch-vxlan dst 192.0.2.99 self permanent")),
        ] {
            asked(program, &words);
            let report = world.routes().sync(Arc::clone(&table)).await.expect("it is put right");
            assert!(!report.is_unchanged(), "{words} is noticed");
            assert_all_reached(&world, &words).await;
            let again = world.routes().sync(Arc::clone(&table)).await.expect("it holds");
            assert!(again.is_unchanged(), "{words} was put right at once");
        }
    });
}

#[test]
fn packets_of_full_size_find_their_way() {
    run(async {
        for family in [Family::V4, Family::V6] {
            let world = vxlan(family).await;
            world.routes().sync(whole_table(&world)).await.expect("a good table holds");
            let overhead = if family == Family::V4 { 50 } else { 70 };
            let shown = asked("ip", "-o link show orch-vxlan");
            assert!(shown.contains(&format!("mtu {} ", 1500 - overhead)), "{shown}");
            assert!(
                world.echoes(world.host(0).1.pod_ranges[0], 1_000_000).await,
                "what is too large is told the sender"
            );
            ip("link set eth0 mtu 9000");
            world.routes().sync(whole_table(&world)).await.expect("a good table holds");
            let shown = asked("ip", "-o link show orch-vxlan");
            assert!(shown.contains(&format!("mtu {} ", 9000 - overhead)), "it grows with the link: {shown}");
        }
    });
}

#[test]
fn a_host_that_is_not_on_the_link_is_refused_by_plain_routes() {
    run(async {
        let world = direct(Family::V4).await;
        let mut table = (*whole_table(&world)).clone();
        let far = Host {
            addresses: vec![[198, 51, 100, 7].into()],
            pod_ranges: vec!["10.9.0.0/16".parse().expect("a range")],
        };
        table.set("far", Some(far));
        let error = world.routes().sync(Arc::new(table)).await.expect_err("it is behind a router");
        assert_eq!(error.host(), Some("far"));
        assert!(
            error.to_string().contains("198.51.100.7 is on none of this host's links (eth0 has 192.0.2.10/24"),
            "{error}"
        );
        assert!(error.to_string().contains("use VXLAN") && !error.is_transient(), "{error}");
    });
}

#[test]
fn one_kind_of_routes_takes_over_from_the_other() {
    run(async {
        let world: Kernel<_> = direct(Family::V4).await;
        let before = world.everything().await;
        world.routes().sync(whole_table(&world)).await.expect("a good table holds");
        let tunnel = orch_net::VxlanRoutes::open(orch_net::VxlanConfig::default()).expect("routes can be opened");
        tunnel.sync(whole_table(&world)).await.expect("it takes over");
        let routes = asked("ip", "route show proto 79");
        assert_eq!(routes.matches("dev orch-vxlan").count(), HOSTS, "{routes}");
        world.routes().sync(whole_table(&world)).await.expect("and back");
        assert_all_reached(&world, "back on the link").await;
        assert!(!asked("ip", "-o link show").contains("orch-vxlan"), "the device went");
        world.routes().sync(Arc::new(HostTable::new("own"))).await.expect("an empty table holds");
        assert_eq!(world.everything().await, before);
    });
}

#[test]
fn a_device_of_others_is_left_alone() {
    run(async {
        let world = vxlan(Family::V4).await;
        ip("link add orch-vxlan type vxlan id 5 dstport 5555 dev eth0");
        let shown = asked("ip", "-d -o link show orch-vxlan");
        let error = world.routes().sync(whole_table(&world)).await.expect_err("others have the name");
        assert!(error.to_string().contains("there is a device orch-vxlan already, which this did not make"), "{error}");
        ip("link set orch-vxlan name others");
        ip("link add others2 type vxlan id 79 dstport 4789 dev eth0");
        let error = world.routes().sync(whole_table(&world)).await.expect_err("others have number and port");
        assert!(error.to_string().contains("another device has VNI 79 at port 4789 already"), "{error}");
        ip("link delete others2");
        world.routes().sync(whole_table(&world)).await.expect("nothing is in the way");
        assert_all_reached(&world, "beside the device of others").await;
        world.routes().clear().await.expect("it can be cleared");
        assert!(asked("ip", "-d -o link show others").contains("vxlan id 5"), "before it was {shown}");
    });
}
