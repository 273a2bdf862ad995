//! What pods send to their neighbours, and to themselves by way of services: the node routes it.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use orch_core::runtime::Runtime as _;
use orch_testkit::daemon::program;
use orch_testkit::suite::run;
use orch_testkit::suite::runtime::RuntimeFixture as _;

use crate::bridged;
use crate::network::{PORT, answers, inside, ip, reached, said, serving, setting, uid};

/// What `nft` answers on the node.
fn nft(commands: &str) -> String {
    let output = program("nft", "nftables").arg(commands).output().expect("the program nft");
    assert!(output.status.success(), "nft {commands}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Sends datagrams until this network was told of a shorter way so often that it would take it: the first time it only asks
/// where the neighbour is. Tells how many there were.
fn sent_until_told(ip: IpAddr) -> u32 {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.connect((ip, PORT)).expect("an address");
    // Nobody listens there, which may be told.
    socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a time");
    let mut sent = 0;
    while redirects() < 4 {
        assert!(sent < 5000, "told {} times, it takes the shorter way", redirects());
        sent += u32::from(socket.send(b"x").is_ok());
        let _ = socket.recv(&mut [0]);
    }
    sent
}

/// How often this network was told of a shorter way.
fn redirects() -> u64 {
    let shown = std::fs::read_to_string("/proc/thread-self/net/snmp").expect("figures");
    let [names, values] = [0, 1].map(|line| shown.lines().filter(|line| line.starts_with("Icmp: ")).nth(line));
    let words = |line: Option<&str>| line.expect("figures").split(' ').map(str::to_owned).collect::<Vec<_>>();
    let place = words(names).iter().position(|name| name == "InRedirects").expect("it is counted");
    words(values)[place].parse().expect("a number")
}

/// What a service proxy of the kernel does for a service of each pod, and counts what the node routes.
const SERVICES: &str = "
    table ip services {
        chain prerouting {
            type nat hook prerouting priority -100;
            ip daddr 10.99.0.2 counter dnat to 10.77.1.2
            ip daddr 10.99.0.3 counter dnat to 10.77.1.3
        }
        chain postrouting {
            type nat hook postrouting priority 100;
            ip saddr 10.77.1.2 ip daddr 10.77.1.2 counter masquerade
        }
    }";

#[test]
fn a_service_leads_a_pod_to_its_neighbour_and_to_itself_whether_or_not_filters_see_what_a_bridge_carries() {
    run(async {
        let place = bridged();
        let runtime = place.open().await;
        serving(&runtime, &place, "a").await;
        serving(&runtime, &place, "b").await;
        nft(SERVICES);
        let (a, b) = (place.net(&uid("a")), place.net(&uid("b")));
        let services = ["10.99.0.2", "10.99.0.3"].map(|address| address.parse::<IpAddr>().expect("an address"));
        for (bridged, strict) in [("0", "0"), ("0", "1"), ("1", "1"), ("1", "2")] {
            setting("ipv4/conf/all/rp_filter", strict);
            if std::fs::exists("/proc/sys/net/bridge").expect("/proc") {
                setting("bridge/bridge-nf-call-iptables", bridged);
            }
            for (from, to) in [(&a, services[1]), (&a, services[0]), (&b, services[0])] {
                for _ in 0..3 {
                    assert!(
                        answers(Some(from.clone()), to),
                        "bridged {bridged}, strict {strict}: {from:?} reaches {to}"
                    );
                }
            }
        }
        // A pod that lost its bridge has the same place at the next one.
        ip("link delete pods1");
        runtime.list().await.expect("a list");
        reached(&[(Some(a.clone()), services[1]), (Some(a), services[0]), (Some(b), services[0])]).await;
    });
}

#[test]
fn what_pods_of_a_bridge_send_to_each_other_is_routed_whatever_they_are_told() {
    run(async {
        let place = bridged();
        if std::fs::exists("/proc/sys/net/bridge").expect("/proc") {
            setting("bridge/bridge-nf-call-iptables", "0");
        }
        // Those of a node that tells everybody of a shorter way, whose pods would all take it.
        setting("ipv4/conf/all/send_redirects", "1");
        setting("ipv4/conf/all/accept_redirects", "1");
        let runtime = place.open().await;
        let (_, b) = (serving(&runtime, &place, "a").await, serving(&runtime, &place, "b").await);
        nft("table ip routed { chain forward { type filter hook forward priority 0; meta l4proto udp counter; }; }");
        let a_net = place.net(&uid("a"));
        assert!(answers(Some(a_net.clone()), b));
        let datagrams = inside(a_net, move || sent_until_told(b));
        let counted = nft("list chain ip routed forward");
        assert!(counted.contains(&format!("packets {datagrams} ")), "each is routed, and once: {counted}");
        let shown = said(&runtime, "a", &place.script("ip route get 10.77.1.3; ip route show cache; ip neigh")).await;
        assert!(shown.contains("via 10.77.1.1") && !shown.contains("redirected"), "{shown}");
        assert!(!shown.contains("10.77.1.3 dev eth0 lladdr"), "{shown}");
    });
}

#[test]
fn a_pod_that_knows_its_neighbours_as_earlier_ones_did_still_reaches_them() {
    run(async {
        let place = bridged();
        let runtime = place.open().await;
        let (a, b) = (serving(&runtime, &place, "a").await, serving(&runtime, &place, "b").await);
        let [a_net, b_net] = ["a", "b"].map(|pod| place.net(&uid(pod)));
        inside(a_net.clone(), || {
            for change in [
                "address add 10.77.1.2/24 dev eth0",
                "address delete 10.77.1.2/32 dev eth0",
                "route replace default via 10.77.1.1",
                "route delete 10.77.1.1",
            ] {
                ip(change);
            }
        });
        reached(&[(Some(a_net.clone()), b), (Some(b_net.clone()), a), (None, a)]).await;
        drop(runtime);
        let runtime = place.open().await;
        ip("link delete pods1");
        let pods = runtime.list().await.expect("a list");
        assert!(pods.iter().all(|pod| pod.ready), "{pods:?}");
        reached(&[(Some(a_net), b), (Some(b_net), a), (None, a)]).await;
    });
}
