//! A Deployment and a Service, and what a person asks about them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use nix::sys::signal::Signal;

use super::cluster::{Cluster, Kind, name, on_both, web};

on_both!(a_service_answers_from_every_pod_and_people_are_answered);

async fn a_service_answers_from_every_pod_and_people_are_answered(kind: Kind) {
    let mut cluster = Cluster::start(kind, 2, &web(3)).await;
    let pods: BTreeSet<String> = cluster.ready("web", 3).iter().map(name).collect();
    let address = cluster.service();
    let mut answered = BTreeSet::new();
    cluster.until("all pods have answered", || {
        answered.extend(cluster.fetch(&address));
        (answered == pods).then_some(())
    });
    let pod = pods.first().expect("a pod").clone();
    let text = |arguments: &[&str]| {
        let output = cluster.ask(arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    assert_eq!(text(&["logs", "-n", "shop", &pod]), (Some(0), "serving".to_owned()));
    let (_, stamped) = text(&["logs", "-n", "shop", &pod, "--timestamps", "--tail", "1"]);
    assert!(stamped.starts_with("20") && stamped.ends_with("Z serving"), "{stamped}");
    let (code, said) = text(&["exec", "-n", "shop", &pod, "--", "sh", "-c", "hostname; exit 7"]);
    assert_eq!((code, said.as_str()), (Some(7), pod.as_str()));
    let mut exec = cluster.command(&["exec", "-i", "-n", "shop", &pod, "--", "cat"]);
    let mut exec = exec.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("k8s-like runs");
    exec.stdin.take().expect("piped").write_all(b"typed").expect("written");
    assert_eq!(exec.wait_with_output().expect("it ends").stdout, b"typed");
    let unknown = cluster.ask(&["exec", "-n", "shop", &pod, "--", "no-such-program"]);
    assert!(!unknown.status.success() && !unknown.stderr.is_empty());
    // What is used is true: the server needs some memory, and less than the machine has.
    let (_, used) = text(&["top", "pods", "-n", "shop"]);
    let row = used.lines().find(|line| line.contains(&pod)).unwrap_or_else(|| panic!("{pod} is not in:\n{used}"));
    let memory = row.split_whitespace().last().and_then(|memory| memory.strip_suffix("Mi")).expect("an amount");
    assert!((1..100).contains(&memory.parse::<u64>().expect("a number")), "{row}");
    let usage = cluster.until("the nodes have told what they use", || {
        Some(cluster.get("nodemetrics")).filter(|metrics| metrics.len() == 2)
    });
    assert!(usage.iter().all(|node| node["usage"]["memory"].is_string() && node["usage"]["cpu"].is_string()));
    let nodes = cluster.get("nodes");
    let runs =
        |node: &serde_json::Value| node["status"]["nodeInfo"]["containerRuntimeVersion"].as_str().map(str::to_owned);
    let runtime = if kind == Kind::Docker { "docker://" } else { "containerd://" };
    assert!(nodes.iter().all(|node| runs(node).is_some_and(|version| version.starts_with(runtime))), "{nodes:?}");
    cluster.write(&web(1));
    cluster.ready("web", 1);
    cluster.end(Signal::SIGINT);
    assert_eq!(cluster.leftovers(), Vec::<String>::new(), "nothing is left");
}
