//! What ends under the pods, and behind the cluster's back.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::cluster::{Cluster, Daemon, Kind, container, name, on_both, web};

on_both!(nothing_is_started_twice_whatever_is_killed);

/// Which runs there are: a container that was started again is another one.
fn runs(pods: &[Value]) -> BTreeMap<String, String> {
    let run = |pod: &Value| format!("{} since {}", container(pod)["containerID"], container(pod)["state"]["running"]);
    pods.iter().map(|pod| (name(pod), run(pod))).collect()
}

/// The web server's process of a pod.
fn process(pod: &str) -> i32 {
    let mark = format!("POD_NAME={pod}");
    let processes = fs::read_dir("/proc").expect("a /proc").flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_it = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    pids.find(is_it).unwrap_or_else(|| panic!("no process of {pod}"))
}

fn remove_behind_our_back(cluster: &Cluster) {
    match &cluster.daemon {
        Daemon::Docker(docker) => {
            let listed = docker.docker(["ps", "-q", "--filter", "label=orch.container=web"]).stdout;
            let listed = String::from_utf8_lossy(&listed).into_owned();
            let first = listed.lines().next().expect("a container");
            assert!(docker.docker(["rm", "-f", first]).status.success());
        }
        Daemon::Containerd(containerd) => {
            let spaces = containerd.ctr(["namespaces", "ls", "-q"]).stdout;
            let space = String::from_utf8_lossy(&spaces).lines().next().expect("a namespace").to_owned();
            let listed = containerd.ctr(["-n", &space, "tasks", "ls", "-q"]).stdout;
            let first = String::from_utf8_lossy(&listed).lines().next().expect("a task").to_owned();
            containerd.ctr(["-n", &space, "tasks", "rm", "-f", &first]);
            assert!(containerd.ctr(["-n", &space, "containers", "rm", &first]).status.success());
        }
    }
}

async fn nothing_is_started_twice_whatever_is_killed(kind: Kind) {
    let mut cluster = Cluster::start(kind, 1, &web(3)).await;
    let before = runs(&cluster.ready("web", 3));
    cluster.end(Signal::SIGKILL);
    cluster.up();
    assert_eq!(runs(&cluster.ready("web", 3)), before, "k8s-like was killed, and all pods went on");
    cluster.daemon.restart().await;
    assert_eq!(runs(&cluster.ready("web", 3)), before, "the daemon was killed, and all pods went on");
    let victim = before.keys().next().expect("a pod").clone();
    kill(Pid::from_raw(process(&victim)), Signal::SIGKILL).expect("it runs");
    let restarted = cluster.until("the one that was killed runs again", || {
        let pods = cluster.ready("web", 3);
        pods.iter().any(|pod| name(pod) == victim && container(pod)["restartCount"] == 1).then_some(pods)
    });
    let others =
        |runs: BTreeMap<String, String>| runs.into_iter().filter(|(pod, _)| *pod != victim).collect::<Vec<_>>();
    assert_eq!(others(runs(&restarted)), others(before), "the others did not notice");
    remove_behind_our_back(&cluster);
    let again = cluster.until("what was removed runs again", || {
        let pods = cluster.ready("web", 3);
        let restarts: i64 = pods.iter().filter_map(|pod| container(pod)["restartCount"].as_i64()).sum();
        (restarts == 2).then_some(pods)
    });
    assert_eq!(again.len(), 3);
    cluster.write("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    cluster.ready("web", 0);
    cluster.until("nothing is left", || cluster.leftovers().is_empty().then_some(()));
    cluster.end(Signal::SIGINT);
}
