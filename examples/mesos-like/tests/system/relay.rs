//! A master that does not lead, and asks the one that does for whoever asks it.

use mesos_like::http::{Client, Stream};
use mesos_like::wire::operator::{Call, CallType, Event, EventType};
use mesos_like::wire::{MediaType, TaskState};
use orch_testkit::daemon::Etcd;
use serde_json::json;

use crate::cluster::{Cluster, PATIENCE, eventually};
use crate::framework::{Framework, info, task};

#[tokio::test]
async fn a_framework_that_knows_a_follower_alone_runs_its_tasks_by_it() {
    let etcd = Etcd::start().await;
    let mut cluster = Cluster::new("relay");
    let store = format!("--store=etcd://{}", etcd.endpoints()[0].trim_start_matches("http://"));
    let leads = async |cluster: &Cluster, number: u8, leads: f64| {
        eventually("the one to lead and the other to follow", async || {
            let metrics = cluster.get(&cluster.master(number), "/metrics/snapshot").await;
            (metrics["master/elected"] == json!(leads)).then_some(())
        })
        .await;
    };
    cluster.start_master(1, &[&store]);
    leads(&cluster, 1, 1.0).await;
    cluster.start_master(2, &[&store, "--redirect=proxy"]);
    leads(&cluster, 2, 0.0).await;
    cluster.start_agent(1, &[]);
    cluster.wait_for_agents(1).await;
    let follower = cluster.master(2);
    eventually("the follower to know the leader", async || {
        let state = cluster.get(&follower, "/state").await;
        (state["pid"] == json!(format!("master@{}", cluster.master(1)))).then_some(())
    })
    .await;
    let subscribe = Call { r#type: Some(CallType::Subscribe.into()), ..Call::default() };
    let media = MediaType::Protobuf;
    let client = Client::default();
    let (answered, answer) =
        client.post(&follower, "/api/v1", media, &http::HeaderMap::new(), &subscribe).await.expect("a stream");
    assert_eq!(answered, follower, "nobody was sent elsewhere");
    let mut stream = Stream::of(answer, media);
    let mut framework = Framework::subscribe(&[follower], info("by-relay")).await;
    framework.launch([task("t", "true")]);
    framework.until_state("t", TaskState::Finished).await;
    let mut last = EventType::Unknown;
    while last != EventType::TaskUpdated {
        let event = tokio::time::timeout(PATIENCE, stream.next::<Event>()).await.expect("in time");
        last = event.expect("a record").expect("the stream goes on").r#type();
    }
}
