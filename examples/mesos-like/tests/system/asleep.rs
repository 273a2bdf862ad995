//! A leading master that was asleep while another one took over.

use mesos_like::wire::TaskState;
use nix::sys::signal::Signal;
use orch_testkit::daemon::Etcd;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::cluster::{Cluster, eventually, is_alive};
use crate::framework::{Framework, info, pid, task};

/// Waits until one of these masters leads, and says which.
async fn leader(cluster: &Cluster, masters: &[u8]) -> u8 {
    eventually("a leader", async || {
        for number in masters {
            let metrics = cluster.get(&cluster.master(*number), "/metrics/snapshot").await;
            if metrics["master/elected"] == json!(1.0) {
                return Some(*number);
            }
        }
        None
    })
    .await
}

#[tokio::test]
async fn a_leader_that_was_asleep_while_another_took_over_decides_nothing_more() {
    let etcd = Etcd::start().await;
    let mut cluster = Cluster::new("asleep");
    let store = format!("--store=etcd://{}", etcd.endpoints()[0].trim_start_matches("http://"));
    for number in 1..=2 {
        cluster.start_master(number, &[&store, "--leader_timeout=2secs"]);
    }
    let first = leader(&cluster, &[1, 2]).await;
    let second = 3 - first;
    cluster.signal(&format!("master-{first}"), Signal::SIGSTOP);
    assert_eq!(leader(&cluster, &[second]).await, second);
    // What somebody asks of it while it sleeps is the first that it hears.
    let mut asked = TcpStream::connect(cluster.master(first)).await.expect("the machine accepts for it");
    let body = r#"[{"role":"late","weight":7}]"#;
    let head =
        format!("PUT /weights HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    asked.write_all(format!("{head}{body}").as_bytes()).await.expect("sent");
    cluster.signal(&format!("master-{first}"), Signal::SIGCONT);
    let mut answer = String::new();
    asked.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503") || answer.starts_with("HTTP/1.1 307"), "{answer}");
    assert_eq!(cluster.get(&cluster.master(second), "/weights").await, json!([]));
    eventually("the first one to follow", async || {
        let metrics = cluster.get(&cluster.master(first), "/metrics/snapshot").await;
        let state = cluster.get(&cluster.master(first), "/state").await;
        let pid = json!(format!("master@{}", cluster.master(second)));
        (metrics["master/elected"] == json!(0.0) && state["pid"] == pid).then_some(())
    })
    .await;
    // It stands by: when the second one is killed it leads again, and still knows nothing of what was refused.
    cluster.signal(&format!("master-{second}"), Signal::SIGKILL);
    assert_eq!(leader(&cluster, &[first]).await, first);
    assert_eq!(cluster.get(&cluster.master(first), "/weights").await, json!([]));
}

#[tokio::test]
async fn a_leader_whose_store_does_not_answer_leads_no_longer_and_leads_again_when_it_does() {
    let etcd = Etcd::start().await;
    let mut cluster = Cluster::new("store-asleep");
    let store = format!("--store=etcd://{}", etcd.endpoints()[0].trim_start_matches("http://"));
    cluster.start_master(1, &[&store, "--leader_timeout=2secs"]);
    leader(&cluster, &[1]).await;
    cluster.start_agent(1, &[]);
    cluster.wait_for_agents(1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("patient")).await;
    framework.launch([task("t", "sleep 1000")]);
    let process = pid(&framework.until_state("t", TaskState::Running).await);
    let (id, before) = (framework.id(), framework.subscriptions);
    etcd.pause();
    eventually("the master to stop leading", async || {
        let metrics = cluster.get(&cluster.master(1), "/metrics/snapshot").await;
        (metrics["master/elected"] == json!(0.0)).then_some(())
    })
    .await;
    etcd.resume();
    leader(&cluster, &[1]).await;
    framework.until("the next subscription", |framework| framework.subscriptions > before).await;
    cluster.wait_for_agents(1).await;
    assert_eq!(framework.id(), id);
    assert!(is_alive(process), "the task runs on");
    assert!(framework.statuses["t"].iter().all(|status| !status.state().is_terminal()), "it was not lost");
    framework.kill("t").await;
    framework.until_state("t", TaskState::Killed).await;
}
