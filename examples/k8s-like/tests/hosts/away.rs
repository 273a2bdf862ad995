//! An etcd that is away for a while.

use crate::clients::fetch;
use crate::hosts::{Hosts, runtime};
use crate::manifests::{hello, web};

#[test]
fn while_etcd_is_away_everything_runs_on_and_changes_wait_until_it_is_back() {
    let hosts = Hosts::new("away", 3);
    hosts.write(&web(1, &hello(&hosts.token)));
    let control_plane = hosts.control_plane("control-plane");
    let nodes = [hosts.node(1, "a", &[]), hosts.node(2, "b", &[])];
    // What is still being started gives up when its store goes away; only what runs goes on.
    for (node, says) in nodes.iter().zip(["node a is ready", "node b is ready"]) {
        hosts.until("the node is ready", || node.has_said(&[says]).then_some(()));
    }
    hosts.settle(1);
    let (service, _) = hosts.service();
    for host in 1..=2 {
        hosts.until("the service answers", || fetch(&hosts.hosts[host], &service));
    }
    let running = hosts.processes();
    hosts.etcd.kill();
    for process in nodes.iter().chain([&control_plane]) {
        hosts.until("it says so", || process.has_said(&["the store is away", "what runs goes on"]).then_some(()));
    }
    for host in 1..=2 {
        assert!(fetch(&hosts.hosts[host], &service).is_some(), "the service answers on host {host}");
    }
    hosts.write(&web(2, &hello(&hosts.token)));
    assert_eq!(hosts.processes(), running);
    runtime().block_on(hosts.etcd.restart());
    hosts.settle(2);
    assert!(running.is_subset(&hosts.processes()), "what ran goes on");
    for node in nodes {
        node.stop();
    }
    control_plane.stop();
}
