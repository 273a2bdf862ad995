//! What cannot be is refused, with what to do instead.

use crate::hosts::{Hosts, ip};
use crate::manifests::{hello, web};

#[test]
fn what_does_not_go_together_is_refused_and_nothing_is_started() {
    let hosts = Hosts::new("refused", 2);
    hosts.write(&web(1, &hello(&hosts.token)));
    let (store, state) = (hosts.store(), hosts.file("state").display().to_string());
    let manifest = hosts.file("manifest.yaml").display().to_string();
    let cases: &[(&[&str], &[&str])] = &[
        (&["control-plane", "--store", "embedded"], &["is of one process alone", "etcd://HOST:PORT"]),
        (&["control-plane", "--store", &store, "--node-cidr-bits", "30"], &["--node-cidr-bits 30", "8 to 29"]),
        (&["control-plane", "--store", &store, "--pod-cidr", "10.0.0.1/8"], &["begin with its first address"]),
        (&["node"], &["--name <NAME>", "--static-pods <DIR>"]),
        (&["node", "--name", "a"], &["--store <STORE>"]),
        (&["node", "--name", "a", "--store", "memory"], &["is of one process alone"]),
        (&["node", "--name", "A_", "--store", &store], &["use at most 63"]),
        (&["node", "--name", "a", "--store", &store, "--static-pods", "/x"], &["cannot be used with", "--static-pods"]),
        (&["node", "--name", "a", "--store", &store, "--node-ip", "10.99.0.200"], &["no address of this machine"]),
        (
            &["node", "--name", "a", "--store", &store, "--node-ip", "127.0.0.1", "--proxy", "nftables"],
            &["--proxy nftables", "loopback"],
        ),
        (
            &["node", "--name", "a", "--store", &store, "--runtime", "containerd", "--pod-network", "host"],
            &["--pod-network host is for --runtime process", "hostNetwork: true"],
        ),
        (&["node", "--static-pods", "/x", "--pod-routes", "vxlan"], &["cannot be used with", "--pod-routes"]),
        (&["up", "-f", &manifest, "--proxy", "iptables", "--state-dir", &state], &["loopback", "--runtime containerd"]),
        (&["get", "pods", "--store", "embedded"], &["etcd://HOST:PORT"]),
    ];
    for (arguments, said) in cases {
        let output = hosts.ask(1, arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.iter().all(|part| text.contains(part)), "{arguments:?}: {text}");
    }
    ip(&hosts.hosts[1], "route del default");
    let output = hosts.ask(1, &["node", "--name", "a", "--store", &store]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("no default route") && text.contains("--node-ip"), "{text}");
    assert!(!hosts.file("state").exists(), "nothing was made");
}

#[test]
fn a_name_is_of_one_node_and_a_store_of_one_kind_of_cluster() {
    let hosts = Hosts::new("names", 3);
    hosts.write(&web(1, &hello(&hosts.token)));
    let (store, other) = (hosts.store(), hosts.file("state-other").display().to_string());
    let manifest = hosts.file("manifest.yaml").display().to_string();
    let node = hosts.node(1, "a", &[]);
    hosts.until("the node waits", || node.has_said(&["waits for a control plane"]).then_some(()));
    let control_plane = hosts.control_plane("control-plane");
    hosts.settle(1);
    let running = hosts.processes();
    let refused = |arguments: &[&str], said: &[&str]| {
        let output = hosts.ask(2, arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.iter().all(|part| text.contains(part)), "{arguments:?}: {text}");
        assert_eq!(hosts.processes(), running);
    };
    let second = ["node", "--name", "a", "--store", &store, "--state-dir", &other];
    refused(&second, &["node a runs from", "state-a", "choose another --name"]);
    refused(&["up", "-f", &manifest, "--store", &store, "--state-dir", &other], &["processes of their own", "prefix"]);
    refused(&["control-plane", "--store", &store, "--service-cidr", "10.7.0.0/16"], &["10.96.0.0/16"]);
    node.crash();
    // Nor is the folder given to another node while its pods run.
    let state = hosts.file("state-a").display().to_string();
    let renamed = ["node", "--name", "b", "--store", &store, "--state-dir", &state];
    refused(&renamed, &["1 pods still run", "node a of the cluster", "k8s-like node --name a"]);
    let node = hosts.node(1, "a", &[]);
    hosts.until("it takes over", || node.said().contains("1 pods still run and go on").then_some(()));
    hosts.until("it is a node again", || (node.said().matches("node a of the cluster in").count() == 2).then_some(()));
    node.stop();
    control_plane.stop();
    // What was stopped in good order may be started anywhere.
    let control_plane = hosts.control_plane("control-plane");
    let moved = hosts.start(2, "moved", &second);
    hosts.settle(1);
    moved.stop();
    control_plane.stop();
}
