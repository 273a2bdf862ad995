//! A cluster of three that loses its leader, and most of its members.

use futures::future::join;
use orch_testkit::daemon::EtcdCluster;
use orch_testkit::suite::run;

use crate::workload::Workload;
use crate::{TIMEOUT, store_at};

#[test]
fn a_cluster_goes_on_when_its_leader_is_killed_and_takes_it_back() {
    run(async {
        let cluster = EtcdCluster::start().await;
        let mut workload = Workload::start(stores(&cluster), TIMEOUT);
        for _ in 0..3 {
            workload.writes(50).await;
            let leader = cluster.leader().await;
            workload.note("the leader is killed");
            leader.kill();
            workload.writes(50).await;
            workload.note("the former leader is restarted");
            leader.restart().await;
        }
        workload.writes(50).await;
        let (_, followed) = workload.finish().await;
        assert_eq!(followed.unavailable, 0, "a watch gave up, rather than ask another member");
    });
}

#[test]
fn a_cluster_without_a_majority_says_that_it_cannot_serve_and_comes_back() {
    run(async {
        let cluster = EtcdCluster::start().await;
        let mut workload = Workload::start(stores(&cluster), TIMEOUT);
        workload.writes(50).await;
        let [first, second, _] = cluster.members() else { unreachable!("it has three") };
        workload.note("two members are killed");
        first.kill();
        second.kill();
        workload.is_unavailable(15).await;
        workload.note("they are restarted");
        join(first.restart(), second.restart()).await;
        workload.writes(50).await;
        let (_, followed) = workload.finish().await;
        assert_eq!(followed.unavailable, 0, "a watch gave up, rather than wait for a majority");
    });
}

/// One for each member, which it asks first.
fn stores(cluster: &EtcdCluster) -> Vec<orch_store::EtcdStore> {
    let mut endpoints = cluster.endpoints();
    let rotated = |_| {
        endpoints.rotate_left(1);
        store_at(endpoints.clone())
    };
    (0..cluster.members().len()).map(rotated).collect()
}
