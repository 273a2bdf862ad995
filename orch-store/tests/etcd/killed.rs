//! Kill -9 of the only member.

use orch_testkit::daemon::Etcd;
use orch_testkit::suite::run;

use crate::workload::Workload;
use crate::{TIMEOUT, store_at};

#[test]
fn an_etcd_killed_and_restarted_loses_and_doubles_nothing() {
    run(async {
        let etcd = Etcd::start().await;
        let mut workload = Workload::start(vec![store_at(etcd.endpoints()), store_at(etcd.endpoints())], TIMEOUT);
        for _ in 0..3 {
            workload.writes(100).await;
            workload.note("etcd is killed");
            etcd.kill();
            workload.is_unavailable(10).await;
            workload.note("etcd is restarted");
            etcd.restart().await;
        }
        workload.writes(100).await;
        let (_, followed) = workload.finish().await;
        assert_eq!(followed.unavailable, 0, "a watch gave up, rather than wait for etcd");
    });
}

#[test]
fn an_etcd_killed_right_after_its_restart_loses_and_doubles_nothing() {
    run(async {
        let etcd = Etcd::start().await;
        let mut workload = Workload::start(vec![store_at(etcd.endpoints()), store_at(etcd.endpoints())], TIMEOUT);
        for _ in 0..8 {
            workload.writes(5).await;
            workload.note("etcd is killed and restarted");
            etcd.restart().await;
        }
        workload.writes(5).await;
        let (_, followed) = workload.finish().await;
        assert_eq!(followed.unavailable, 0, "a watch gave up, rather than wait for etcd");
    });
}
