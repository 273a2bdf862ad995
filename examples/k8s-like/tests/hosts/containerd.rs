//! Two nodes whose pods are containers with addresses of their node's range, by each proxy.

use std::fs;
use std::sync::Arc;

use orch_testkit::daemon::{Containerd, busybox_image};

use crate::clients::resolve;
use crate::hosts::{Hosts, names, places, runtime};
use crate::manifests::web;

pub(crate) const IMAGE: &str = "orch.example/busybox:1";

/// A server that tells its pod's name.
pub(crate) fn server() -> String {
    format!(
        "        - name: web
          image: {IMAGE}
          command: [/bin/sh, -c, 'mkdir /tmp/w; echo $(POD_NAME) > /tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w']
          env: [{{name: POD_NAME, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}]
          ports: [{{name: http, containerPort: 8080}}]"
    )
}

/// A containerd on a host, and the options by which a node runs its pods there.
pub(crate) fn containerd(hosts: &Hosts, host: usize) -> (Containerd, Vec<String>) {
    let containerd = runtime().block_on(Containerd::start_in(Arc::clone(&hosts.hosts[host])));
    let archive = hosts.file("image.tar");
    fs::write(&archive, busybox_image().archive(IMAGE)).expect("an archive");
    let (socket, archive) = (containerd.socket().display().to_string(), archive.display().to_string());
    let options = ["--runtime", "containerd", "--containerd-socket", &socket, "--image-archive", &archive];
    (containerd, options.map(str::to_owned).to_vec())
}

/// Each with what leads to services.
macro_rules! by_each_proxy {
    ($($proxy:ident),+) => {
        $(#[test]
        fn $proxy() {
            pods_of_two_hosts_reach_a_service(stringify!($proxy));
        })+
    };
}

by_each_proxy!(userspace, iptables, nftables);

fn pods_of_two_hosts_reach_a_service(proxy: &str) {
    let hosts = Hosts::new(&format!("containers-{proxy}"), 3);
    hosts.write(&web(0, &server()));
    let control_plane = hosts.control_plane("control-plane");
    let daemons = [containerd(&hosts, 1), containerd(&hosts, 2)];
    let nodes: Vec<_> = [(1, "a"), (2, "b")]
        .into_iter()
        .zip(&daemons)
        .map(|((host, name), (_, options))| {
            let options: Vec<&str> = options.iter().map(String::as_str).chain(["--proxy", proxy]).collect();
            hosts.node(host, name, &options)
        })
        .collect();
    for (node, name) in nodes.iter().zip(["a", "b"]) {
        hosts.until("the node is ready", || node.has_said(&["node", name, "is ready"]).then_some(()));
    }
    hosts.write(&web(4, &server()));
    let pods = hosts.settle(4);
    assert_eq!(places(&pods).len(), 2, "on both");
    let (service, node_port) = hosts.service();
    let gateways = gateways(&hosts);
    for host in 1..=2 {
        hosts.all_answer(host, &service, &names(&pods));
    }
    hosts.all_answer(0, &format!("{}:{node_port}", hosts.address(1)), &names(&pods));
    for (host, gateway) in gateways {
        let name = "web.shop.svc.cluster.local";
        let address: std::net::IpAddr = service.split(':').next().expect("an address").parse().expect("an address");
        hosts.until("the service has a name on each node", || {
            (resolve(&hosts.hosts[host], &gateway, name)? == [address]).then_some(())
        });
    }
    for pod in &pods {
        let (name, node) = (pod["metadata"]["name"].as_str().expect("a name"), pod["spec"]["nodeName"].as_str());
        let host = if node == Some("a") { 1 } else { 2 };
        let state = hosts.file(&format!("state-{}", node.expect("a node"))).display().to_string();
        let place = service.replace(':', " ");
        let request = format!(r"printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 {place} | tail -n 1 | grep web || echo none");
        let script = format!("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do {request}; done");
        let asked = hosts.ask(host, &["exec", "-n", "shop", name, "--state-dir", &state, "--", "sh", "-c", &script]);
        let said = String::from_utf8_lossy(&asked.stdout).into_owned();
        assert!(said.lines().count() == 12 && !said.contains("none"), "from {name} on {node:?}:\n{said}\n{asked:?}");
    }
    for node in nodes {
        node.stop();
    }
    control_plane.stop();
    for host in 1..=2 {
        assert_eq!(hosts.leftovers(host), Vec::<String>::new(), "on host {host}");
    }
}

/// For each host, the address that its pods' packets leave by.
fn gateways(hosts: &Hosts) -> Vec<(usize, String)> {
    let of = |node: &serde_json::Value| {
        let range = node["spec"]["podCIDR"].as_str().expect("a range");
        (if node["metadata"]["name"] == "a" { 1 } else { 2 }, range.replace(".0/24", ".1"))
    };
    hosts.get("nodes").iter().map(of).collect()
}
