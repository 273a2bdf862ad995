//! A member that clients reach, and that does not reach the others.

use orch_testkit::daemon::EtcdCluster;
use orch_testkit::suite::run;

use crate::workload::Workload;
use crate::{TIMEOUT, store_at};

#[test]
fn a_member_cut_off_from_the_others_is_left_for_them_and_serves_nothing_old() {
    run(async {
        let cluster = EtcdCluster::start().await;
        let leader = cluster.leader().await;
        let others = cluster.endpoints().into_iter().filter(|at| !leader.endpoints().contains(at));
        let leader_first: Vec<String> = leader.endpoints().into_iter().chain(others).collect();
        let mut workload = Workload::start(vec![store_at(leader_first.clone()), store_at(leader_first)], TIMEOUT);
        workload.writes(100).await;
        workload.note("the leader is cut off");
        cluster.isolate(leader).await;
        workload.writes(200).await;
        workload.note("it is back");
        cluster.reconnect();
        workload.writes(100).await;
        let (_, followed) = workload.finish().await;
        assert_eq!(followed.unavailable, 0, "a watch gave up, rather than ask another member");
    });
}

#[test]
fn who_knows_only_a_member_that_is_cut_off_is_told_so_and_misses_nothing() {
    run(async {
        let cluster = EtcdCluster::start().await;
        let [first, second, _] = cluster.members() else { unreachable!("it has three") };
        let mut workload = Workload::start(vec![store_at(first.endpoints()), store_at(second.endpoints())], TIMEOUT);
        workload.writes(100).await;
        workload.note("the first member is cut off");
        cluster.isolate(first).await;
        workload.is_unavailable(15).await;
        workload.writes(100).await;
        workload.note("it is back");
        cluster.reconnect();
        workload.writes(100).await;
        let (_, followed) = workload.finish().await;
        assert_eq!(followed.unavailable, 0, "a watch gave up, rather than wait for its member");
    });
}
