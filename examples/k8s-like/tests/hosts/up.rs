//! `k8s-like up` with proxies of the kernel, on one host.

use crate::clients::fetch;
use crate::containerd::{containerd, server};
use crate::hosts::{Hosts, Running, names};
use crate::manifests::web;

fn up(hosts: &Hosts, options: &[String], proxy: &str) -> Running {
    let (manifest, state) = (hosts.file("manifest.yaml"), hosts.file("state"));
    let (manifest, state) = (manifest.display().to_string(), state.display().to_string());
    let arguments = ["up", "--nodes", "2", "-f", &manifest, "--state-dir", &state, "--proxy", proxy];
    let options = options.iter().map(String::as_str);
    hosts.start(0, "up", &arguments.into_iter().chain(options).collect::<Vec<_>>())
}

/// Where the service answers, as the latest run said.
fn answers(hosts: &Hosts, up: &Running, runs: usize) -> String {
    let place = hosts.until("the service answers", || {
        let said = up.said();
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("answers at http://")).collect();
        (lines.len() == runs).then(|| lines[runs - 1].rsplit("http://").next().unwrap_or_default().to_owned())
    });
    hosts.until("it answers", || fetch(&hosts.hosts[0], &place));
    place
}

#[test]
fn the_kernel_leads_to_services_and_nothing_is_left_whichever_proxy_served_before() {
    let hosts = Hosts::new("up", 1);
    hosts.write(&web(2, &server()));
    let (_containerd, options) = containerd(&hosts, 0);
    let first = up(&hosts, &options, "nftables");
    let place = answers(&hosts, &first, 1);
    assert!(place.starts_with("10."), "{place}");
    for name in ["web", "web.shop.svc.cluster.local"] {
        let pod = names(&hosts.pods_here(0, "state")).pop_first().expect("a pod");
        let state = hosts.file("state").display().to_string();
        let script = format!("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {name} 8080 | tail -n 1 | grep web");
        hosts.until_or("pods find the service by its name", || {
            let asked = hosts.ask(0, &["exec", "-n", "shop", &pod, "--state-dir", &state, "--", "sh", "-c", &script]);
            if asked.status.success() { Ok(()) } else { Err(format!("{asked:?}")) }
        });
    }
    first.crash();
    assert!(fetch(&hosts.hosts[0], &place).is_some(), "rules and pods serve on");
    assert!(hosts.leftovers(0).iter().any(|line| line.contains("k8s-like-")), "the table has the cluster's name");

    let second = up(&hosts, &options, "nftables");
    assert_eq!(answers(&hosts, &second, 2), place);
    second.crash();
    // With another proxy, what the one before made goes first.
    let third = up(&hosts, &options, "iptables");
    assert_eq!(answers(&hosts, &third, 3), place);
    let left = hosts.leftovers(0);
    assert!(left.iter().any(|line| line.contains("ORCH-")) && !left.iter().any(|line| line.contains("k8s-like-")));
    third.crash();
    let last = up(&hosts, &options, "iptables");
    assert_eq!(answers(&hosts, &last, 4), place);
    last.stop();
    assert_eq!(hosts.leftovers(0), Vec::<String>::new(), "nothing is left");
}
