//! Three masters on one etcd, of which the leader is killed.

use mesos_like::wire::TaskState;
use mesos_like::wire::scheduler::{Call, CallType, Reconcile};
use nix::sys::signal::Signal;
use orch_testkit::daemon::Etcd;

use crate::cluster::{Cluster, eventually, is_alive};
use crate::framework::{Framework, info, pid, task};

/// The master that leads, as one of these says.
async fn leader(cluster: &Cluster, masters: &[u8]) -> u8 {
    eventually("a leader", async || {
        for number in masters {
            let state = cluster.get(&cluster.master(*number), "/state").await;
            let leads = |other: &&u8| state["pid"].as_str() == Some(&format!("master@{}", cluster.master(**other)));
            if let Some(leader) = masters.iter().find(leads) {
                return Some(*leader);
            }
        }
        None
    })
    .await
}

#[tokio::test]
async fn when_the_leader_of_three_is_killed_the_next_has_the_same_frameworks_and_tasks_and_none_is_lost() {
    let etcd = Etcd::start().await;
    let mut cluster = Cluster::new("masters");
    let store = format!("--store=etcd://{}", etcd.endpoints()[0].trim_start_matches("http://"));
    for number in 1..=3 {
        cluster.start_master(number, &[&store]);
    }
    let masters: Vec<String> = (1..=3).map(|number| cluster.master(number)).collect();
    let all = format!("--master={}", masters.join(","));
    for number in 1..=2 {
        cluster.start_agent(number, &[&all]);
    }
    let first = leader(&cluster, &[1, 2, 3]).await;
    let mut framework = Framework::subscribe(&masters, info("ha")).await;
    framework.launch((0..6).map(|number| task(&format!("t{number}"), "sleep 1000")));
    let mut processes = Vec::new();
    for number in 0..6 {
        processes.push(pid(&framework.until_state(&format!("t{number}"), TaskState::Running).await));
    }
    let (id, subscriptions) = (framework.id(), framework.subscriptions);

    cluster.signal(&format!("master-{first}"), Signal::SIGKILL);
    framework.until("the next subscription", |framework| framework.subscriptions > subscriptions).await;
    let rest: Vec<u8> = (1..=3).filter(|number| *number != first).collect();
    let second = leader(&cluster, &rest).await;
    assert_ne!(first, second);
    assert_eq!(framework.id(), id, "the framework's id is the same");
    eventually("both agents at the new leader", async || {
        let slaves = cluster.get(&cluster.master(second), "/slaves").await;
        (slaves["slaves"].as_array().map(Vec::len) == Some(2)).then_some(())
    })
    .await;
    let seen = |framework: &Framework| framework.statuses.values().map(Vec::len).sum::<usize>();
    let before = seen(&framework);
    framework.call(CallType::Reconcile, Call { reconcile: Some(Reconcile::default()), ..Call::default() }).await;
    framework.until("the state of all tasks", |framework| seen(framework) >= before + 6).await;
    let states: Vec<_> = framework.statuses.keys().map(|task| framework.state(task)).collect();
    assert_eq!(states, [Some(TaskState::Running); 6]);
    assert!(framework.statuses.values().flatten().all(|status| !status.state().is_terminal()), "none was lost");
    assert!(processes.iter().all(|process| is_alive(*process)), "the processes are the same");
    // The new leader goes on: it kills, and places.
    framework.kill("t0").await;
    framework.until_state("t0", TaskState::Killed).await;
    framework.launch([task("after", "true")]);
    framework.until_state("after", TaskState::Finished).await;
}
