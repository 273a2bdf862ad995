//! How a task lives: launched, running as a process, killed, ended, asked about.

use mesos_like::wire::scheduler::{Call, CallType, Reconcile, ReconcileTask};
use mesos_like::wire::{Reason, TaskState};

use crate::cluster::{Cluster, eventually, is_alive};
use crate::framework::{Framework, info, pid, task};

#[tokio::test]
async fn a_task_runs_as_a_real_process_and_is_killed() {
    let cluster = Cluster::of("life", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("life")).await;
    framework.launch([task("sleeper", "exec sleep 1000")]);
    let running = framework.until_state("sleeper", TaskState::Running).await;
    let process = pid(&running);
    assert!(is_alive(process), "a task that runs is a process");
    framework.kill("sleeper").await;
    framework.until_state("sleeper", TaskState::Killed).await;
    eventually("the end of the process", async || (!is_alive(process)).then_some(())).await;
    // What it used is offered again, and used again.
    framework.launch([task("next", "true")]);
    framework.until_state("next", TaskState::Finished).await;
}

#[tokio::test]
async fn how_a_command_ends_is_how_its_task_ends() {
    let cluster = Cluster::of("ends", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("ends")).await;
    framework.launch([task("well", "echo out; echo err >&2"), task("badly", "exit 3"), task("shot", "kill -9 $$")]);
    framework.until_state("well", TaskState::Finished).await;
    let badly = framework.until_state("badly", TaskState::Failed).await;
    assert!(badly.message().contains("exited with status 3"), "{}", badly.message());
    let shot = framework.until_state("shot", TaskState::Failed).await;
    assert!(shot.message().contains("signal"), "{}", shot.message());
    let states = |task: &str| framework.statuses[task].iter().map(|status| status.state()).collect::<Vec<_>>();
    assert_eq!(states("well").last(), Some(&TaskState::Finished));
    assert!(states("well").contains(&TaskState::Running), "{:?}", states("well"));
}

#[tokio::test]
async fn a_framework_is_told_of_its_tasks_when_it_asks() {
    let cluster = Cluster::of("reconcile", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("reconcile")).await;
    framework.launch([task("known", "sleep 1000")]);
    framework.until_state("known", TaskState::Running).await;
    let seen = framework.statuses["known"].len();
    framework.call(CallType::Reconcile, Call { reconcile: Some(Reconcile::default()), ..Call::default() }).await;
    framework.until("the implicit answer", |framework| framework.statuses["known"].len() > seen).await;
    let answer = framework.statuses["known"].last().expect("an answer").clone();
    assert_eq!((answer.state(), answer.reason(), answer.uuid), (TaskState::Running, Reason::Reconciliation, None));
    let unknown = ReconcileTask { task_id: "unknown".into(), agent_id: None };
    let reconcile = Some(Reconcile { tasks: vec![unknown] });
    framework.call(CallType::Reconcile, Call { reconcile, ..Call::default() }).await;
    framework.until_state("unknown", TaskState::Unknown).await;
}

#[tokio::test]
async fn a_framework_that_comes_back_under_its_id_has_its_tasks() {
    let cluster = Cluster::of("failover", 1).await;
    let mut first = Framework::subscribe(&[cluster.master(1)], info("failover")).await;
    first.launch([task("kept", "sleep 1000")]);
    first.until_state("kept", TaskState::Running).await;
    let mut again = info("failover");
    again.id = Some(first.id());
    let mut second = Framework::subscribe(&[cluster.master(1)], again).await;
    assert_eq!(second.id(), first.id());
    let ended = first.master.next().await.expect_err("the first is told that another took over").to_string();
    assert!(ended.contains("Framework failed over"), "{ended}");
    second.call(CallType::Reconcile, Call { reconcile: Some(Reconcile::default()), ..Call::default() }).await;
    second.until_state("kept", TaskState::Running).await;
    second.kill("kept").await;
    second.until_state("kept", TaskState::Killed).await;
}

#[tokio::test]
async fn why_a_framework_has_no_offer_can_be_asked_at_any_time() {
    let cluster = Cluster::of("why", 2).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("why")).await;
    framework.call(CallType::Suppress, Call::default()).await;
    let path = format!("/why-no-offer?framework_id={}", framework.id());
    let why = eventually("the offers to be declined", async || {
        let why = cluster.get(&cluster.master(1), &path).await["frameworks"][0].clone();
        (why["outstanding_offers"] == 0 || why["roles"][0]["agents"] == 2).then_some(why)
    })
    .await;
    let words = why["in_words"].as_str().expect("words");
    assert!(words.contains("suppressed") || words.contains("offered to it"), "{why}");
}

#[tokio::test]
async fn an_agent_shows_what_it_runs_what_that_uses_and_what_it_said() {
    let cluster = Cluster::of("shown", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("shown")).await;
    framework.launch([task("shown", "echo said; exec sleep 1000")]);
    framework.until_state("shown", TaskState::Running).await;
    let state = cluster.get(&cluster.agent(1), "/slave(1)/state").await;
    let executor = &state["frameworks"][0]["executors"][0];
    assert_eq!(executor["tasks"][0]["id"], "shown", "{state}");
    let statistics = cluster.get(&cluster.agent(1), "/monitor/statistics.json").await;
    assert!(statistics[0]["statistics"]["mem_rss_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{statistics}");
    let directory = executor["directory"].as_str().expect("a sandbox");
    for folder in [directory.to_owned(), format!("{}/latest", directory.rsplit_once('/').expect("a folder").0)] {
        let read =
            cluster.get(&cluster.agent(1), &format!("/files/read?path={folder}/stdout&offset=0&length=100")).await;
        assert_eq!(read["data"], "said\n", "{folder}");
    }
}
