//! Where everybody sees everything, and who accepts first has it.

use mesos_like::framework::command;
use mesos_like::wire::{Reason, TaskState};

use crate::cluster::Cluster;
use crate::framework::{Framework, info};

#[tokio::test]
async fn of_two_frameworks_that_want_the_same_the_second_is_told_and_the_conflict_is_counted() {
    let mut cluster = Cluster::new("optimistic");
    cluster.start_master(1, &["--allocator=optimistic"]);
    cluster.start_agent(1, &[]);
    cluster.wait_for_agents(1).await;
    let masters = [cluster.master(1)];
    let mut first = Framework::subscribe(&masters, info("first")).await;
    let mut second = Framework::subscribe(&masters, info("second")).await;
    // Each was offered all of the agent before either of them accepts.
    let offered = async |framework: &mut Framework| framework.offer(|_| true).await;
    let (one, two) = (offered(&mut first).await, offered(&mut second).await);
    assert_eq!((&one.agent_id, one.resources.len()), (&two.agent_id, two.resources.len()));
    let large = |id: &str| command(id, "exec sleep 1000", &"cpus:3;mem:64".parse().expect("resources"));
    first.launch_on(&one, large("fits")).await;
    first.until_state("fits", TaskState::Running).await;
    second.launch_on(&two, large("late")).await;
    let dropped = second.until_state("late", TaskState::Dropped).await;
    assert_eq!(dropped.reason(), Reason::InvalidOffers);
    assert!(dropped.message().contains("has changed since offer"), "{}", dropped.message());
    let metrics = cluster.get(&cluster.master(1), "/metrics/snapshot").await;
    assert_eq!(metrics["allocator/mesos/offers/conflicts"], 1.0, "{metrics}");
}
