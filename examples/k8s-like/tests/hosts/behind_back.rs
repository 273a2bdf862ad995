//! A node that is killed in the middle of syncs; others who change what it made, or have rules of their own beside.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::clients::fetch_within;
use crate::cluster::{Cluster, Flavour, SYNC_PERIOD, hosts, in_both_flavours};
use crate::hosts::{Hosts, ip};

/// What was altered is put right within the period in which it is looked at, and what a busy machine takes for that.
const REPAIRED: Duration = Duration::from_secs(SYNC_PERIOD + 4);
/// How often the node is killed.
const KILLS: u64 = 6;

in_both_flavours!(what_is_half_done_or_altered_is_put_right_and_others_rules_stay);

fn what_is_half_done_or_altered_is_put_right_and_others_rules_stay(test: &str, flavour: Flavour) {
    let hosts = hosts(&format!("behind-{test}"));
    add_a_firewall(&hosts);
    let firewall = firewall(&hosts);
    let mut cluster = Cluster::start(hosts, flavour);
    assert_eq!(self::firewall(&cluster.hosts), firewall);

    killed_again_and_again(&mut cluster);
    cluster.everybody_reaches_everybody();
    nothing_is_doubled(&cluster);
    assert_eq!(self::firewall(&cluster.hosts), firewall, "after the kills");

    for alter in alterations(flavour) {
        altered(&cluster, alter);
    }
    cluster.everybody_reaches_everybody();
    nothing_is_doubled(&cluster);
    assert_eq!(self::firewall(&cluster.hosts), firewall, "after the repairs");

    let hosts = cluster.stop();
    assert_eq!(self::firewall(&hosts), firewall, "after the end");
}

/// Somebody's rules on the first node's host, of both kinds: before ours, and reached from the kernel's own chains.
fn add_a_firewall(hosts: &Hosts) {
    for line in [
        "nft add table inet firewall",
        "nft add chain inet firewall input { type filter hook input priority 0; policy accept; }",
        "nft add chain inet firewall forward { type filter hook forward priority 0; policy accept; }",
        "nft add rule inet firewall input tcp dport 9 drop",
        "nft add rule inet firewall forward ip saddr 198.51.100.0/24 drop",
        "iptables -N FIREWALL",
        "iptables -A FIREWALL -p tcp --dport 9 -j DROP",
        "iptables -A INPUT -j FIREWALL",
        "iptables -A FORWARD -j FIREWALL",
        "iptables -t nat -N FIREWALL",
        "iptables -t nat -A FIREWALL -d 198.51.100.1/32 -j RETURN",
        "iptables -t nat -A PREROUTING -j FIREWALL",
        "iptables -t nat -A POSTROUTING -j FIREWALL",
    ] {
        hosts.said_by(1, line);
    }
}

/// All of it, word for word and in its order.
fn firewall(hosts: &Hosts) -> String {
    let rules = hosts.said_by(1, "iptables-save");
    let rules: Vec<&str> = rules.lines().filter(|line| line.contains("FIREWALL")).collect();
    hosts.said_by(1, "nft list table inet firewall") + &rules.join("\n")
}

/// While pods and services come and go, so that the kill meets syncs.
fn killed_again_and_again(cluster: &mut Cluster) {
    let seed = u64::from(std::process::id());
    for round in 0..KILLS {
        let replicas = 3 + u32::try_from(round % 3).expect("a few");
        let services: String = (0..=round % 4).map(|number| service(&format!("more-{number}"))).collect();
        cluster.write(replicas, &services);
        // Up to a second: before, during or after what the change comes to.
        let after = (seed + round * 7_919) * 31 % 1_000;
        std::thread::park_timeout(Duration::from_millis(after));
        cluster.take_node(1).crash();
        cluster.start_node(1);
    }
    cluster.write(3, &service("more-0"));
    cluster.hosts.settle(3);
    // The pods that stay are not those that would be one on each.
    cluster.write(0, &service("more-0"));
    cluster.hosts.settle(0);
    cluster.write(3, &service("more-0"));
}

fn service(name: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec:
  selector: {{app: web}}
  ports: [{{name: http, port: 8080, targetPort: http}}]
"
    )
}

/// Each host has what the two services and the pods need, once.
fn nothing_is_doubled(cluster: &Cluster) {
    let hosts = &cluster.hosts;
    let services = hosts.get("services");
    let wanted: BTreeSet<&str> = services.iter().filter_map(|service| service["spec"]["clusterIP"].as_str()).collect();
    assert_eq!(wanted.len(), 2);
    for host in 1..=3 {
        let rules = if cluster.flavour.proxy == "nftables" {
            let tables = hosts.said_by(host, "nft list tables");
            let ours: Vec<&str> = tables.lines().filter(|line| line.contains("k8s-like-")).collect();
            assert_eq!(ours.len(), 2, "one of each family: {ours:?}");
            hosts.said_by(host, &format!("nft list {}", ours[0]))
        } else {
            let rules = hosts.said_by(host, "iptables-save");
            for table in rules.split("\n*") {
                let lines: Vec<&str> = table.lines().filter(|line| line.starts_with('-')).collect();
                let distinct: BTreeSet<&str> = lines.iter().copied().collect();
                assert_eq!(distinct.len(), lines.len(), "on host {host}: {table}");
            }
            rules
        };
        let words = rules.split([' ', '/', '\n', '\t', ',']).filter(|word| word.starts_with("10.96."));
        // The range itself is not one of them.
        let found: BTreeSet<&str> = words.filter(|word| *word != "10.96.0.0").collect();
        assert_eq!(found, wanted, "on host {host}: {rules}");
        let routes = hosts.said_by(host, "ip route show proto 79");
        assert_eq!(routes.lines().count(), 2, "on host {host}: {routes}");
        let devices = hosts.said_by(host, "ip -br link");
        let pods = devices.lines().filter(|line| line.starts_with("orch")).count();
        assert_eq!(pods, 1, "on host {host}: {devices}");
    }
    if !cluster.flavour.has_containers {
        assert_eq!(hosts.processes().len(), 3);
    }
}

/// What others do to a host.
type Alteration = fn(&Cluster);

fn alterations(flavour: Flavour) -> Vec<Alteration> {
    let rules: &[Alteration] = if flavour.proxy == "nftables" {
        &[
            |cluster| drop(cluster.hosts.said_by(1, &format!("nft delete {}", table(&cluster.hosts)))),
            |cluster| drop(cluster.hosts.said_by(1, &format!("nft flush {}", table(&cluster.hosts)))),
        ]
    } else {
        &[
            |cluster| drop(cluster.hosts.said_by(1, "iptables -t nat -F ORCH-SERVICES")),
            |cluster| {
                let rules = cluster.hosts.said_by(1, "iptables -t nat -S OUTPUT");
                // The first line is the chain's policy.
                let place = rules.lines().position(|line| line.contains("ORCH-")).expect("a rule that leads to ours");
                cluster.hosts.said_by(1, &format!("iptables -t nat -D OUTPUT {place}"));
            },
        ]
    };
    let routes: [Alteration; 2] = [
        |cluster| ip(&cluster.hosts.hosts[1], &format!("route del {}", range_of(&cluster.hosts, "b"))),
        |cluster| {
            let wrong = format!("route replace {} via 10.99.0.200 dev eth0 proto 79", range_of(&cluster.hosts, "b"));
            ip(&cluster.hosts.hosts[1], &wrong);
        },
    ];
    rules.iter().copied().chain(routes).collect()
}

/// The table of IPv4 on the first node's host.
fn table(hosts: &Hosts) -> String {
    let tables = hosts.said_by(1, "nft list tables");
    let ours = tables.lines().find(|line| line.contains("k8s-like-") && line.contains(" ip "));
    ours.expect("a table of ours").to_owned()
}

fn range_of(hosts: &Hosts, name: &str) -> String {
    let nodes = hosts.get("nodes");
    let node = nodes.iter().find(|node| node["metadata"]["name"] == name).expect("a node");
    node["spec"]["podCIDR"].as_str().expect("a range").to_owned()
}

/// Has others alter something on the first node's host, and sees it put right in time.
fn altered(cluster: &Cluster, alter: Alteration) {
    let hosts = &cluster.hosts;
    let (service, _) = hosts.service();
    let on_b = hosts.ready().into_iter().find(|pod| pod["spec"]["nodeName"] == "b").expect("a pod on b");
    let pod = format!("{}:8080", on_b["status"]["podIP"].as_str().expect("an address"));
    let host = &hosts.hosts[1];
    let answers = |address: &str| fetch_within(host, address, Duration::from_secs(1)).is_some();
    alter(cluster);
    let since = Instant::now();
    let is_broken = !(answers(&service) && answers(&pod));
    hosts.until("it is put right", || {
        let whole = (0..6).all(|_| answers(&service)) && answers(&pod);
        whole.then_some(())
    });
    let took = since.elapsed();
    eprintln!("{}: {}, whole after {took:?}", cluster.flavour.proxy, if is_broken { "broken" } else { "not noticed" });
    assert!(took <= REPAIRED, "{took:?} of {REPAIRED:?}");
}
