//! Many pods at once.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use super::cluster::{Cluster, IMAGE, Kind, container, on_both};

on_both!(fifty_pods_at_once_run_once_each_and_leave_nothing);

async fn fifty_pods_at_once_run_once_each_and_leave_nothing(kind: Kind) {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    let many = format!(
        "{namespace}---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: many, namespace: shop}}
spec:
  replicas: 50
  selector: {{matchLabels: {{app: many}}}}
  template:
    metadata: {{labels: {{app: many}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{{name: main, image: {IMAGE}, command: [sleep, '100000']}}]
"
    );
    let mut cluster = Cluster::start(kind, 1, &many).await;
    let pods = cluster.ready("many", 50);
    let ids: BTreeSet<String> = pods.iter().map(|pod| container(pod)["containerID"].to_string()).collect();
    assert_eq!(ids.len(), 50, "each has a container of its own");
    assert!(pods.iter().all(|pod| container(pod)["restartCount"] == 0), "none was started twice");
    let addresses: BTreeSet<String> = pods.iter().map(|pod| pod["status"]["podIP"].to_string()).collect();
    assert_eq!(addresses.len(), 50, "each has an address of its own");
    cluster.write(namespace);
    cluster.ready("many", 0);
    cluster.until("nothing is left", || cluster.leftovers().is_empty().then_some(()));
    cluster.end(Signal::SIGINT);
}
