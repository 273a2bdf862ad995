//! Compaction while others watch, and while they cannot watch.

use futures::StreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Compact as _, Expect, ListOptions, Store, StoreError, Watch, WatchEvent};
use orch_testkit::daemon::{Etcd, EtcdCluster};
use orch_testkit::suite::run;
use tokio::time::timeout;

use crate::workload::{SOON, Workload, held_by, key};
use crate::{TIMEOUT, store_at};

#[test]
fn an_etcd_compacted_again_and_again_loses_and_doubles_nothing() {
    run(async {
        let etcd = Etcd::start().await;
        let mut workload = Workload::start(vec![store_at(etcd.endpoints()), store_at(etcd.endpoints())], TIMEOUT);
        for _ in 0..10 {
            workload.writes(50).await;
            let client = workload.client();
            let now = client.list(&Prefix::all(), ListOptions::default()).await.expect("a listing").revision;
            client.compact(now).await.expect("a compaction");
        }
        workload.finish().await;
    });
}

#[test]
fn an_etcd_compacted_and_killed_again_and_again_loses_and_doubles_nothing() {
    run(async {
        let etcd = Etcd::start().await;
        let mut workload = Workload::start(vec![store_at(etcd.endpoints()), store_at(etcd.endpoints())], TIMEOUT);
        for _ in 0..4 {
            workload.writes(50).await;
            let client = workload.client();
            let now = client.list(&Prefix::all(), ListOptions::default()).await.expect("a listing").revision;
            client.compact(now).await.expect("a compaction");
            workload.note("etcd is killed and restarted");
            etcd.restart().await;
        }
        workload.finish().await;
    });
}

/// What was written while the watch had no connection was compacted, so it cannot go on; one that has missed nothing can.
#[test]
fn a_watch_that_comes_back_after_a_compaction_says_so_unless_it_missed_nothing() {
    run(async {
        let cluster = EtcdCluster::start().await;
        let (leader, follower) = (cluster.leader().await, cluster.followers().await[0]);
        let (here, elsewhere) = (store_at(follower.endpoints()), store_at(leader.endpoints()));
        let (busy, quiet) = (key(0), key(1));
        let mut entry = elsewhere.put(&busy, held_by(&busy, "0"), Expect::Absent).await.expect("a write");
        let mut behind = here.watch(&prefix_of(&busy), Revision::ZERO).await.expect("a watch");
        assert_eq!(next_put(&mut behind).await, entry.revision);

        follower.kill();
        for turn in 1..5 {
            let expect = Expect::Revision(entry.revision);
            entry = elsewhere.put(&busy, held_by(&busy, &turn.to_string()), expect).await.expect("a write");
        }
        elsewhere.compact(entry.revision).await.expect("a compaction");
        follower.restart().await;
        let ended = timeout(SOON, behind.filter(|item| std::future::ready(item.is_err())).next()).await;
        let ended = ended.expect("a watch that cannot go on says so").expect("it does not end without a word");
        assert!(matches!(ended, Err(StoreError::Compacted { .. })), "{ended:?}");

        let page = here.list(&Prefix::all(), ListOptions::default()).await.expect("a listing");
        assert_eq!(page.entries.len(), 1);
        let mut caught_up = here.watch(&prefix_of(&quiet), page.revision).await.expect("a watch");
        let first_quiet = elsewhere.put(&quiet, held_by(&quiet, "0"), Expect::Absent).await.expect("a write");
        assert_eq!(next_put(&mut caught_up).await, first_quiet.revision);
        follower.kill();
        elsewhere.compact(first_quiet.revision).await.expect("a compaction");
        follower.restart().await;
        let expect = Expect::Revision(first_quiet.revision);
        let second_quiet = elsewhere.put(&quiet, held_by(&quiet, "1"), expect).await.expect("a write");
        assert_eq!(next_put(&mut caught_up).await, second_quiet.revision);
    });
}

fn prefix_of(key: &Key) -> Prefix {
    Prefix::namespace(
        &<orch_core::object::Lease as orch_core::kind::Object>::KIND,
        key.namespace().expect("a namespace"),
    )
    .expect("a valid prefix")
}

/// The revision of the next object that it tells of.
async fn next_put(watch: &mut Watch) -> Revision {
    let next = async {
        loop {
            match watch.next().await {
                Some(Ok(WatchEvent::Put { entry, .. })) => return entry.revision,
                Some(Ok(WatchEvent::Progress(_))) => {}
                other => panic!("a watch told {other:?}"),
            }
        }
    };
    timeout(SOON, next).await.expect("a watch tells what happens")
}
