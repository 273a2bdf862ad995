//! Persistent volumes: what an instance wrote is there when it is started again, and gone when nobody wants it any more.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::client::{Marathon, Token};
use crate::cluster::{Cluster, eventually};

/// What the instances of an app wrote, in order, by the agent that they are on.
fn written(marathon: &Marathon, agents: u8) -> Vec<(u8, Vec<String>)> {
    let mut all = Vec::new();
    for agent in 1..=agents {
        let folder: PathBuf = marathon.cluster.folder().join(format!("agent-{agent}/volumes/roles/db"));
        for volume in fs::read_dir(folder).into_iter().flatten().flatten() {
            let text = fs::read_to_string(volume.path().join("log")).unwrap_or_default();
            all.push((agent, text.lines().map(str::to_owned).collect()));
        }
    }
    all
}

fn ids(marathon: &Marathon) -> Vec<String> {
    let mut ids: Vec<String> =
        marathon.tasks("db").iter().filter_map(|task| task["id"].as_str().map(str::to_owned)).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn an_instance_is_started_again_where_its_disk_is_and_what_nobody_wants_is_given_back() {
    let mut marathon = Marathon { cluster: Cluster::of("volumes", 3).await, number: 1 };
    marathon.start(1, &["--mesos_role=db"]);
    marathon.is_there(1).await;
    let token = Token::new();
    let write = |word: &str| format!("echo {word} >> data/log; {}", token.command());
    let app = json!({
        "id": "db", "cmd": write("first"), "cpus": 0.1, "mem": 32, "instances": 2, "constraints": [["hostname", "UNIQUE"]],
        "container": { "type": "MESOS", "volumes": [{ "containerPath": "data", "persistent": { "size": 64 } }] },
    });
    marathon.done("POST", "/v2/apps", &app);
    marathon.settled().await;
    let first = ids(&marathon);
    let volume = &marathon.tasks("db")[0]["localVolumes"][0];
    assert_eq!(volume["containerPath"], "data");
    // Ended, they come back to their disks.
    marathon.done("DELETE", "/v2/apps/db/tasks", &Value::Null);
    let again: Vec<String> = first.iter().map(|id| id.replace("_app.1", "_app.2")).collect();
    eventually("they run again", async || (ids(&marathon) == again && token.processes().len() == 2).then_some(()))
        .await;
    // Another version runs on the same disks, although Marathon is killed meanwhile.
    marathon.done("PUT", "/v2/apps/db", &json!({ "cmd": write("second") }));
    marathon.cluster.signal("marathon-1", Signal::SIGKILL);
    marathon.start(1, &["--mesos_role=db"]);
    marathon.is_there(1).await;
    marathon.settled().await;
    eventually("all was written", async || {
        let wrote = written(&marathon, 3);
        let expected = ["first", "first", "second"];
        (wrote.len() == 2 && wrote.iter().all(|(_, lines)| *lines == expected)).then_some(())
    })
    .await;
    // One less: its disk goes with it. None: all do.
    marathon.done("PUT", "/v2/apps/db", &json!({ "instances": 1 }));
    marathon.settled().await;
    eventually("a disk is given back", async || (written(&marathon, 3).len() == 1).then_some(())).await;
    marathon.done("DELETE", "/v2/apps/db", &Value::Null);
    eventually("all is given back", async || written(&marathon, 3).is_empty().then_some(())).await;
    let reserved = async || {
        let slaves = mesos_like::http::Client::default().get(&marathon.cluster.master(1), "/slaves").await.ok()?;
        let slaves: Value = serde_json::from_slice(&slaves).ok()?;
        let none = |slave: &Value| slave["reserved_resources"].as_object().is_some_and(serde_json::Map::is_empty);
        slaves["slaves"].as_array()?.iter().all(none).then_some(())
    };
    eventually("nothing is reserved", reserved).await;
}

#[tokio::test]
async fn without_a_role_of_its_own_marathon_says_what_volumes_need() {
    let marathon = Marathon::of("no-role", 0).await;
    let app = json!({
        "id": "db", "cmd": "sleep 1",
        "container": { "type": "MESOS", "volumes": [{ "containerPath": "data", "persistent": { "size": 64 } }] },
    });
    let refused = marathon.ask("POST", "/v2/apps", &app);
    assert_eq!(refused.status, 422);
    assert!(refused.body.to_string().contains("--mesos_role"), "{refused:?}");
}
