//! Two nodes whose pods are containers of Docker on their nodes' bridges.

use std::fs;
use std::sync::Arc;

use orch_testkit::daemon::{Dockerd, busybox_image};

use crate::containerd::{IMAGE, server};
use crate::hosts::{Hosts, Running, names, places, runtime};
use crate::manifests::web;

fn docker(hosts: &Hosts, host: usize) -> (Dockerd, Vec<String>) {
    let docker = runtime().block_on(Dockerd::start_in(Arc::clone(&hosts.hosts[host])));
    let archive = hosts.file("image.tar");
    fs::write(&archive, busybox_image().archive(IMAGE)).expect("an archive");
    let (socket, archive) = (docker.socket().display().to_string(), archive.display().to_string());
    let options = ["--runtime", "docker", "--docker-socket", &socket, "--image-archive", &archive];
    (docker, options.map(str::to_owned).to_vec())
}

#[test]
fn containers_of_docker_reach_each_other_once_its_firewall_lets_them() {
    let hosts = Hosts::new("docker", 3);
    hosts.write(&web(0, &server()));
    let control_plane = hosts.control_plane("control-plane");
    let daemons = [docker(&hosts, 1), docker(&hosts, 2)];
    let start = |host: usize, name: &str| {
        let options = daemons[host - 1].1.iter().map(String::as_str);
        hosts.node(host, name, &options.chain(["--proxy", "nftables"]).collect::<Vec<_>>())
    };
    let nodes = [start(1, "a"), start(2, "b")];
    for (node, name) in nodes.iter().zip(["a", "b"]) {
        hosts.until("the node is ready", || node.has_said(&["node", name, "is ready"]).then_some(()));
    }
    for (host, node) in (1..).zip(&nodes) {
        as_it_says(&hosts, host, node);
    }
    hosts.write(&web(2, &server()));
    let pods = hosts.settle(2);
    assert_eq!(places(&pods).len(), 2, "on both");
    let (service, _) = hosts.service();
    hosts.all_answer(1, &service, &names(&pods));
    let on_a = pods.iter().find(|pod| pod["spec"]["nodeName"] == "a").expect("a pod on a");
    let (pod, state) =
        (on_a["metadata"]["name"].as_str().expect("a name"), hosts.file("state-a").display().to_string());
    let script = r#"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do printf "GET / HTTP/1.0\r\n\r\n" | nc -w 2 web 8080 | tail -n 1; done"#;
    let mut said = String::new();
    hosts.until_or("a pod reaches both by the service's name", || {
        let asked = hosts.ask(1, &["exec", "-n", "shop", pod, "--state-dir", &state, "--", "sh", "-c", script]);
        said = String::from_utf8_lossy(&asked.stdout).into_owned();
        let both = names(&pods).iter().all(|name| said.lines().any(|line| line == name.as_str()));
        if both { Ok(()) } else { Err(said.clone()) }
    });
    for node in nodes {
        node.stop();
    }
    control_plane.stop();
}

/// Does in a host what its node says that is to be done.
fn as_it_says(hosts: &Hosts, host: usize, node: &Running) {
    let said = node.said();
    let warning = said.lines().find(|line| line.contains("Docker's firewall drops")).expect("it is told");
    let commands: Vec<&str> = warning.split('`').filter(|part| part.starts_with("iptables ")).collect();
    assert_eq!(commands.len(), 2, "{warning}");
    for command in commands {
        hosts.said_by(host, command);
    }
}
