//! What becomes of tasks when their agent is killed, comes back, or stays away.

use std::time::Duration;

use mesos_like::wire::{Reason, TaskState};
use nix::sys::signal::Signal;

use crate::cluster::{Cluster, eventually, is_alive};
use crate::framework::{Framework, info, pid, task};

#[tokio::test]
async fn an_agent_that_is_killed_and_started_again_has_its_id_and_its_tasks_their_processes() {
    let mut cluster = Cluster::of("recovery", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("recovery")).await;
    framework.launch([task("kept", "sleep 1000"), task("ends", "sleep 3; exit 7")]);
    let before = framework.until_state("kept", TaskState::Running).await;
    framework.until_state("ends", TaskState::Running).await;
    let slaves = cluster.get(&cluster.master(1), "/slaves").await;
    cluster.signal("agent-1", Signal::SIGKILL);
    assert!(is_alive(pid(&before)), "a task outlives its agent");
    tokio::time::sleep(Duration::from_secs(4)).await;
    cluster.start_agent(1, &[]);
    cluster.wait_for_agents(1).await;
    let again = cluster.get(&cluster.master(1), "/slaves").await;
    assert_eq!(slaves["slaves"][0]["id"], again["slaves"][0]["id"]);
    // One ended while nobody looked: that is told, too.
    framework.until_state("ends", TaskState::Failed).await;
    assert!(is_alive(pid(&before)), "the process is the same");
    let lost = framework.statuses.values().flatten().filter(|status| status.state() != TaskState::Failed);
    assert!(lost.into_iter().all(|status| !status.state().is_terminal()), "{:?}", framework.statuses);
    framework.kill("kept").await;
    framework.until_state("kept", TaskState::Killed).await;
    assert!(!is_alive(pid(&before)));
}

#[tokio::test]
async fn tasks_of_an_agent_that_stays_away_are_unreachable_and_run_again_when_it_is_back() {
    let mut cluster = Cluster::new("away");
    let impatient = ["--agent_ping_timeout=500ms", "--max_agent_ping_timeouts=2", "--agent_reregister_timeout=2secs"];
    cluster.start_master(1, &impatient);
    cluster.start_agent(1, &[]);
    cluster.wait_for_agents(1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("away")).await;
    let mut old = info("old");
    old.capabilities.clear();
    let mut old = Framework::subscribe(&[cluster.master(1)], old).await;
    framework.launch([task("aware", "sleep 1000")]);
    let running = framework.until_state("aware", TaskState::Running).await;
    old.launch([task("unaware", "sleep 1000")]);
    old.until_state("unaware", TaskState::Running).await;
    cluster.signal("agent-1", Signal::SIGSTOP);
    let unreachable = framework.until_state("aware", TaskState::Unreachable).await;
    assert!(unreachable.unreachable_time.is_some() && unreachable.uuid.is_none());
    assert_eq!(unreachable.reason(), Reason::AgentRemoved);
    old.until_state("unaware", TaskState::Lost).await;
    cluster.signal("agent-1", Signal::SIGCONT);
    framework.until_state("aware", TaskState::Running).await;
    old.until_state("unaware", TaskState::Running).await;
    assert!(is_alive(pid(&running)));
}

#[tokio::test]
async fn of_an_agent_that_comes_back_to_a_master_that_never_saw_it_frameworks_are_told_what_runs_there() {
    let mut cluster = Cluster::new("never-seen");
    let store = format!("--store=embedded:{}", cluster.folder().join("store").display());
    let impatient = ["--agent_ping_timeout=500ms", "--max_agent_ping_timeouts=2", "--agent_reregister_timeout=1secs"];
    let flags = [&[store.as_str()][..], &impatient].concat();
    cluster.start_master(1, &flags);
    cluster.start_agent(1, &[]);
    cluster.wait_for_agents(1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("never-seen")).await;
    framework.launch([task("kept", "sleep 1000")]);
    let running = framework.until_state("kept", TaskState::Running).await;
    cluster.signal("agent-1", Signal::SIGSTOP);
    cluster.signal("master-1", Signal::SIGKILL);
    cluster.start_master(1, &flags);
    framework.until("the next subscription", |framework| framework.subscriptions > 1).await;
    eventually("the agent to be given up", async || {
        let slaves = cluster.get(&cluster.master(1), "/slaves").await;
        (slaves["recovered_slaves"].as_array()?.is_empty() && slaves["slaves"].as_array()?.is_empty()).then_some(())
    })
    .await;
    let before = framework.statuses["kept"].len();
    cluster.signal("agent-1", Signal::SIGCONT);
    framework.until("what runs", |framework| framework.statuses["kept"].len() > before).await;
    let told = framework.statuses["kept"].last().expect("it was told");
    assert_eq!((told.state(), told.reason()), (TaskState::Running, Reason::AgentReregistered));
    assert!(is_alive(pid(&running)));
}

#[tokio::test]
async fn a_framework_that_does_not_checkpoint_loses_its_tasks_with_the_agent() {
    let mut cluster = Cluster::of("unsaved", 1).await;
    let mut unsaved = info("unsaved");
    unsaved.checkpoint = Some(false);
    let mut framework = Framework::subscribe(&[cluster.master(1)], unsaved).await;
    framework.launch([task("unsaved", "sleep 1000")]);
    framework.until_state("unsaved", TaskState::Running).await;
    cluster.signal("agent-1", Signal::SIGKILL);
    framework
        .until("the loss", |framework| framework.state("unsaved").is_some_and(|state| state != TaskState::Running))
        .await;
}
