//! Hosts that share no link.

use crate::cluster::{Cluster, Flavour, NODES, PROCESSES};
use crate::hosts::Hosts;

#[test]
fn pods_of_hosts_that_share_no_link_reach_each_other_through_a_tunnel() {
    let mut cluster = Cluster::start(Hosts::routed("tunnel", 4), PROCESSES);
    // Plain routes lead nowhere here, and people are told what does.
    let said = ["NotRouted", "use VXLAN"];
    cluster.hosts.until("it is told", || cluster.control_plane.has_said(&said).then_some(()));
    cluster.write(0, "");
    cluster.hosts.settle(0);
    for host in 1..=NODES.len() {
        cluster.take_node(host).stop();
        for option in cluster.options(host).iter_mut().filter(|option| *option == "direct") {
            "vxlan".clone_into(option);
        }
        cluster.start_node(host);
    }
    cluster.flavour = Flavour { routes: "vxlan", ..PROCESSES };
    cluster.nodes_are_ready();
    cluster.write(3, "");
    cluster.everybody_reaches_everybody();
    let (service, node_port) = cluster.hosts.service();
    let pods = cluster.hosts.settle(3);
    for host in 1..=NODES.len() {
        cluster.hosts.all_answer(host, &service, &crate::hosts::names(&pods));
        let link = cluster.hosts.said_by(host, "ip -d link show type vxlan");
        assert!(link.contains("mtu 1450"), "{link}");
    }
    cluster.hosts.all_answer(0, &format!("{}:{node_port}", cluster.hosts.address(1)), &crate::hosts::names(&pods));
    // What a node that was killed made is taken over by the next one of its name, or removed if it is not wanted any more.
    cluster.take_node(3).crash();
    assert!(cluster.hosts.said_by(3, "ip route show proto 79").contains("10.244."), "it outlives its node");
    cluster.options(3).iter_mut().filter(|option| *option == "vxlan").for_each(|option| "none".clone_into(option));
    cluster.start_node(3);
    cluster.hosts.until("nothing of it is left", || {
        let left = ["ip route show proto 79", "ip link show type vxlan"].map(|look| cluster.hosts.said_by(3, look));
        left.concat().is_empty().then_some(())
    });
    cluster.stop();
}
