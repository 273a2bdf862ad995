//! Chronos is killed, or its leader, or the master's: no run is left out, and none is run twice.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use orch_testkit::daemon::Etcd;
use serde_json::json;

use crate::client::{Chronos, ask, in_millis, pass};
use crate::cluster::{Cluster, eventually};

/// The slots of a job's runs, of which there were so many: each was begun once, and its first task did it.
fn slots(chronos: &Chronos, job: &str, count: usize) -> Vec<i64> {
    let lines = chronos.lines(job);
    let slots: Vec<i64> = lines.iter().map(|line| line.words[1].parse().expect("a slot")).collect();
    assert_eq!(slots.iter().collect::<BTreeSet<_>>().len(), slots.len(), "none is run twice: {lines:?}");
    assert_eq!(slots.len(), count, "{lines:?}");
    assert!(lines.iter().all(|line| line.words[2] == "0"), "none was tried again: {lines:?}");
    slots
}

#[tokio::test]
async fn a_chronos_that_is_killed_again_and_again_neither_skips_nor_repeats_a_run() {
    let mut chronos = Chronos::of("killed", 1, &[]).await;
    let begin = in_millis(1_000);
    chronos.add("short", &json!({ "schedule": format!("R8/{begin}/PT2S"), "concurrent": true }));
    // It waits until the end of the last one was told: an agent tells it again after ten seconds.
    chronos.add("long", &json!({ "schedule": format!("R4/{begin}/PT4S"), "command": "sleep 1.5" }));
    chronos.add("after", &json!({ "parents": ["long"] }));
    // At other moments of a run each time.
    for wait in [1_100, 700, 1_900, 350, 1_300, 2_100, 150, 900] {
        pass(wait).await;
        chronos.cluster.signal("chronos-1", Signal::SIGKILL);
        pass(wait / 4).await;
        chronos.start(1, &[]);
        chronos.is_there(1).await;
    }
    chronos.until_successes("short", 8).await;
    chronos.until_successes("long", 4).await;
    chronos.until_successes("after", 4).await;
    let short = slots(&chronos, "short", 8);
    assert!(short.windows(2).all(|pair| pair[1] - pair[0] == 2_000), "none is left out: {short:?}");
    slots(&chronos, "long", 4);
    slots(&chronos, "after", 4);
}

#[tokio::test]
async fn what_ended_while_chronos_was_away_is_noticed_and_what_runs_is_taken_over() {
    let mut chronos = Chronos::of("away", 1, &[]).await;
    chronos.add("ends", &json!({ "schedule": "R1//PT1H", "command": "sleep 2" }));
    chronos.add("fails", &json!({ "schedule": "R1//PT1H", "command": "sleep 2; test $CHRONOS_JOB_RUN_ATTEMPT = 1" }));
    chronos.add("runs", &json!({ "schedule": "R1//PT1H", "command": "sleep 7" }));
    let begun = async || (chronos.lines("").len() == 3).then_some(());
    eventually("three tasks", begun).await;
    chronos.cluster.signal("chronos-1", Signal::SIGKILL);
    pass(3_500).await;
    chronos.start(1, &[]);
    chronos.is_there(1).await;
    for name in ["ends", "fails", "runs"] {
        chronos.until_successes(name, 1).await;
    }
    let count = |name: &str| chronos.lines(name).len();
    assert_eq!(["ends", "fails", "runs"].map(count), [1, 2, 1]);
}

#[tokio::test]
async fn a_chronos_that_stayed_away_for_too_long_is_another_framework_and_tries_again_what_the_master_has_ended() {
    let flags = ["--failover_timeout=1secs"];
    let mut chronos = Chronos::of("removed", 1, &flags).await;
    let command = "test $CHRONOS_JOB_RUN_ATTEMPT != 0 || sleep 1000";
    chronos.add("a", &json!({ "schedule": "R1//PT1H", "command": command }));
    eventually("a task", async || (!chronos.lines("a").is_empty()).then_some(())).await;
    chronos.cluster.signal("chronos-1", Signal::SIGKILL);
    let master = chronos.cluster.master(1);
    eventually("the end of the framework", async || {
        let state = chronos.cluster.get(&master, "/frameworks").await;
        (state["completed_frameworks"].as_array()?.len() == 1).then_some(())
    })
    .await;
    chronos.start(1, &flags);
    chronos.is_there(1).await;
    chronos.until_successes("a", 1).await;
    assert_eq!(chronos.lines("a").len(), 2);
}

#[tokio::test]
async fn when_the_leader_of_two_is_killed_the_other_goes_on_with_its_jobs_and_either_answers_for_both() {
    let etcd = Etcd::start().await;
    let store = format!("--store=etcd://{}/jobs", etcd.endpoints()[0].trim_start_matches("http://"));
    let flags = [store.as_str(), "--leader_timeout=2secs"];
    let mut chronos = Chronos { cluster: Cluster::of("leaders", 1).await, number: 1 };
    chronos.start(1, &flags);
    chronos.is_there(1).await;
    chronos.start(2, &flags);
    chronos.is_there(2).await;
    let leader =
        |asked: u8| ask(&chronos.address(asked), "GET", "/leader", "").map(|answer| answer.body["leader"].clone());
    assert_eq!((leader(1), leader(2)), (Some(json!(chronos.address(1))), Some(json!(chronos.address(1)))));
    chronos.number = 2;
    chronos.add("a", &json!({ "schedule": format!("R6/{}/PT2S", in_millis(500)), "command": "sleep 1" }));
    let answer = chronos.ask("GET", "/v1/scheduler/job/a", "");
    assert!(answer.head.contains(&format!("x-chronos-leader: http://{}", chronos.address(1))), "{answer:?}");
    chronos.until_successes("a", 2).await;
    chronos.cluster.signal("chronos-1", Signal::SIGKILL);
    eventually("the next leader", async || {
        let leads = ask(&chronos.address(2), "GET", "/leader", "")?.body["leader"] == chronos.address(2);
        leads.then_some(())
    })
    .await;
    chronos.until_successes("a", 6).await;
    let lines = chronos.lines("a");
    let slots: BTreeSet<&String> = lines.iter().map(|line| &line.words[1]).collect();
    assert_eq!((lines.len(), slots.len()), (6, 6), "six runs, each once: {lines:?}");
}

#[tokio::test]
async fn when_the_leading_master_is_killed_tasks_go_on_and_so_do_jobs() {
    let etcd = Etcd::start().await;
    let store = format!("--store=etcd://{}", etcd.endpoints()[0].trim_start_matches("http://"));
    let mut cluster = Cluster::new("masters");
    cluster.start_master(1, &[&store, "--leader_timeout=2secs"]);
    let both = format!("--master={},{}", cluster.master(1), cluster.master(2));
    cluster.start_agent(1, &[&both]);
    cluster.wait_for_agents(1).await;
    // The first one leads by now.
    cluster.start_master(2, &[&store, "--leader_timeout=2secs"]);
    let mut chronos = Chronos { cluster, number: 1 };
    chronos.start(1, &[&both]);
    chronos.is_there(1).await;
    chronos.add("long", &json!({ "schedule": "R1//PT1H", "command": "sleep 8" }));
    chronos.add("often", &json!({ "schedule": format!("R5/{}/PT3S", in_millis(500)) }));
    chronos.add("after", &json!({ "parents": ["long"] }));
    eventually("both to run", async || (chronos.lines("").len() >= 2).then_some(())).await;
    chronos.cluster.signal("master-1", Signal::SIGKILL);
    for (name, count) in [("long", 1), ("often", 5), ("after", 1)] {
        chronos.until_successes(name, count).await;
    }
    assert_eq!((chronos.lines("long").len(), chronos.lines("after").len()), (1, 1));
    let slots: BTreeSet<String> = chronos.lines("often").into_iter().map(|line| line.words[1].clone()).collect();
    assert_eq!((slots.len(), chronos.lines("often").len()), (5, 5));
}
