//! Frameworks that go away, or do not acknowledge.

use std::time::Duration;

use mesos_like::wire::TaskState;

use crate::cluster::{Cluster, eventually, is_alive};
use crate::framework::{Framework, info, pid, task};

#[tokio::test]
async fn tasks_of_a_framework_that_stays_away_past_its_failover_timeout_are_killed_and_its_id_is_of_no_use() {
    let cluster = Cluster::of("gone", 1).await;
    let mut short = info("gone");
    short.failover_timeout = Some(1.0);
    let mut framework = Framework::subscribe(&[cluster.master(1)], short.clone()).await;
    framework.launch([task("orphan", "sleep 1000")]);
    let running = framework.until_state("orphan", TaskState::Running).await;
    short.id = Some(framework.id());
    drop(framework);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(is_alive(pid(&running)), "the timeout is not over");
    eventually("the end of the task", async || (!is_alive(pid(&running))).then_some(())).await;
    let mut late = mesos_like::framework::Connection::new(vec![cluster.master(1)], short).expect("a master is named");
    let refused = late.next().await.expect_err("it was removed").to_string();
    assert!(refused.contains("Framework has been removed"), "{refused}");
}

#[tokio::test]
async fn an_update_that_is_not_acknowledged_is_sent_again_and_the_next_one_waits() {
    let cluster = Cluster::of("unacked", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("unacked")).await;
    framework.acknowledges = false;
    framework.launch([task("short", "true")]);
    framework
        .until("the first update again", |framework| framework.statuses.get("short").is_some_and(|all| all.len() > 1))
        .await;
    let seen = &framework.statuses["short"];
    assert_eq!((seen[0].state(), &seen[0].uuid), (seen[1].state(), &seen[1].uuid), "the same one, and no later one");
    framework.acknowledges = true;
    framework.until_state("short", TaskState::Finished).await;
}
