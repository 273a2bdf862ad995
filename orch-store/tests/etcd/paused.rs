//! SIGSTOP: connections stay, and nobody answers on them.

use orch_testkit::daemon::{Etcd, EtcdCluster};
use orch_testkit::suite::run;

use crate::workload::Workload;
use crate::{TIMEOUT, store_at};

#[test]
fn an_etcd_paused_for_longer_than_the_time_out_loses_and_doubles_nothing() {
    run(async {
        let etcd = Etcd::start().await;
        let mut workload = Workload::start(vec![store_at(etcd.endpoints()), store_at(etcd.endpoints())], TIMEOUT);
        for _ in 0..2 {
            workload.writes(100).await;
            workload.note("etcd is paused");
            etcd.pause();
            // More than there are clients: some have asked a second time.
            workload.is_unavailable(10).await;
            workload.note("etcd is resumed");
            etcd.resume();
        }
        workload.writes(100).await;
        let (_, followed) = workload.finish().await;
        assert_eq!(followed.unavailable, 0, "a watch gave up, rather than wait for etcd");
    });
}

#[test]
fn a_paused_leader_is_left_for_others_and_serves_nothing_old_when_it_goes_on() {
    run(async {
        let cluster = EtcdCluster::start().await;
        let leader = cluster.leader().await;
        // The leader first, so that it is the one that is asked.
        let endpoints: Vec<String> =
            cluster.endpoints().into_iter().filter(|at| !leader.endpoints().contains(at)).collect();
        let leader_first = || leader.endpoints().into_iter().chain(endpoints.clone()).collect();
        let stores = vec![store_at(leader_first()), store_at(leader_first()), store_at(leader.endpoints())];
        let mut workload = Workload::start(stores, TIMEOUT);
        workload.writes(100).await;
        workload.note("the leader is paused");
        leader.pause();
        workload.writes(100).await;
        workload.note("it is resumed");
        leader.resume();
        workload.writes(200).await;
        let (_, followed) = workload.finish().await;
        assert_eq!(followed.unavailable, 0, "a watch gave up, rather than wait for etcd");
    });
}
