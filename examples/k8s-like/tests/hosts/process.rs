//! Three nodes whose pods are processes in their hosts' networks, by each proxy.

use crate::clients::fetch;
use crate::hosts::{Hosts, Running, names, places};
use crate::manifests::{hello_at_host, web};

/// Each with what leads to services.
macro_rules! by_each_proxy {
    ($($proxy:ident),+) => {
        $(#[test]
        fn $proxy() {
            three_hosts_are_one_cluster(stringify!($proxy));
        })+
    };
}

by_each_proxy!(userspace, iptables, nftables);

fn three_hosts_are_one_cluster(proxy: &str) {
    let hosts = Hosts::new(proxy, 4);
    hosts.write(&web(3, &hello_at_host(&hosts.token)));
    let control_plane = hosts.control_plane("control-plane");
    let start = |host: usize, name: &str| hosts.node(host, name, &["--pod-network", "host", "--proxy", proxy]);
    let (a, b, c) = (start(1, "a"), start(2, "b"), start(3, "c"));
    let pods = hosts.settle(3);
    assert_eq!(places(&pods).len(), 3, "one on each");
    let (service, node_port) = hosts.service();
    for host in 1..=3 {
        hosts.all_answer(host, &service, &names(&pods));
    }
    // From a host that runs nothing.
    hosts.all_answer(0, &format!("{}:{node_port}", hosts.address(1)), &names(&pods));
    assert!(a.has_said(&["service shop/web answers at http://", &service]), "{}", a.said());

    let b = killed_and_started_again(&hosts, b, || start(2, "b"), proxy, &service);
    let c = stopped_and_started_again(&hosts, c, || start(3, "c"));

    // What a person asks a node about its own pods.
    let state = hosts.file("state-a").display().to_string();
    let on_a = hosts.ready().into_iter().find(|pod| pod["spec"]["nodeName"] == "a").expect("a pod on a");
    let name = on_a["metadata"]["name"].as_str().expect("a name");
    let logs = hosts.ask(1, &["logs", "-n", "shop", name, "--state-dir", &state]);
    assert!(String::from_utf8_lossy(&logs.stdout).contains("listening on 10.99.0.12:8080"), "{logs:?}");

    for node in [a, b, c] {
        node.stop();
    }
    control_plane.stop();
    assert!(hosts.processes().is_empty(), "pods end with their node");
    for host in 1..=3 {
        assert_eq!(hosts.leftovers(host), Vec::<String>::new(), "on host {host}");
    }
}

fn killed_and_started_again(
    hosts: &Hosts,
    node: Running,
    again: impl FnOnce() -> Running,
    proxy: &str,
    service: &str,
) -> Running {
    let running = hosts.processes();
    node.crash();
    assert_eq!(hosts.processes(), running, "pods survive their node");
    if proxy != "userspace" {
        assert!(fetch(&hosts.hosts[2], service).is_some(), "and so do the kernel's rules");
    }
    let node = again();
    hosts.until("the node takes over what runs", || node.has_said(&["1 pods still run and go on"]).then_some(()));
    hosts.all_answer(2, service, &names(&hosts.settle(3)));
    assert_eq!(hosts.processes(), running, "the same processes");
    node
}

fn stopped_and_started_again(hosts: &Hosts, node: Running, again: impl FnOnce() -> Running) -> Running {
    node.stop();
    assert_eq!(hosts.processes().len(), 2, "its pod has ended");
    let nodes = hosts.get("nodes");
    assert_eq!(nodes.len(), 3, "the node is known on");
    let waiting = hosts.until("its pod is replaced, for which there is no room now", || {
        let pods = hosts.get("pods");
        pods.iter().find(|pod| pod["spec"]["nodeName"].is_null()).cloned()
    });
    let node = again();
    let pods = hosts.settle(3);
    assert!(names(&pods).contains(waiting["metadata"]["name"].as_str().expect("a name")), "which is when it is back");
    node
}
