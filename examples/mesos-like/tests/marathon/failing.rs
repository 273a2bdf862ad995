//! Apps that fail are left alone for longer each time; which instance goes when there are too many.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Marathon, Token, until_run};
use crate::cluster::eventually;

/// When an app began to run, each time, in milliseconds.
fn beginnings(marathon: &Marathon) -> Vec<i64> {
    let text = fs::read_to_string(marathon.cluster.folder().join("began")).unwrap_or_default();
    text.lines().map(|line| line.parse().expect("a time")).collect()
}

#[tokio::test]
async fn an_app_that_crashes_is_left_alone_longer_each_time_until_somebody_says_at_once() {
    let marathon = Marathon::of("crash", 1).await;
    let file = marathon.cluster.folder().join("began");
    let more = json!({
        "cmd": format!("date +%s%3N >> {}; exit 3", file.display()),
        "backoffSeconds": 0.5, "backoffFactor": 2, "maxLaunchDelaySeconds": 300,
    });
    marathon.add("crash", &Token::new(), &more);
    let waits = marathon
        .until_queued("/crash", "left alone for 4 seconds", |waiting| waiting["delay"]["timeLeftSeconds"] == 4)
        .await;
    assert_eq!((&waits["count"], &waits["delay"]["overdue"]), (&json!(1), &json!(false)));
    let began = beginnings(&marathon);
    let apart: Vec<i64> = began.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(apart.len(), 3, "{apart:?}");
    for (apart, delay) in apart.iter().zip([500, 1_000, 2_000]) {
        assert!((delay..delay + 2_000).contains(apart), "{apart} for {delay}");
    }
    let failure = marathon.get("/v2/apps/crash")["app"]["lastTaskFailure"].clone();
    assert_eq!((&failure["state"], &failure["appId"]), (&json!("TASK_FAILED"), &json!("/crash")));
    assert!(failure["message"].as_str().is_some_and(|message| message.contains('3')), "{failure}");
    // Nobody waits for what is left of the 4 seconds.
    assert_eq!(marathon.ask("DELETE", "/v2/queue//crash/delay", &Value::Null).status, 204);
    let again = eventually("the next run", async || Some(beginnings(&marathon)).filter(|all| all.len() == 5)).await;
    assert!(again[4] - again[3] < 3_500, "{again:?}");
    // From then on it is as if it had not failed before.
    marathon
        .until_queued("/crash", "left alone for a moment", |waiting| {
            waiting["delay"]["timeLeftSeconds"].as_u64().is_some_and(|left| left <= 2)
        })
        .await;
    // What it becomes is tried at once.
    let token = Token::new();
    marathon.done("PUT", "/v2/apps/crash?force=true", &json!({ "cmd": token.command() }));
    until_run(&token, 1).await;
    marathon.settled().await;
    assert_eq!(marathon.get("/v2/queue"), json!({ "queue": [] }));
    let refused = marathon.ask("DELETE", "/v2/queue//crash/delay", &Value::Null);
    assert_eq!((refused.status, &refused.body["message"]), (404, &json!("Application is not in the queue")));
}

#[tokio::test]
async fn an_instance_that_works_no_longer_is_ended_and_another_one_runs() {
    let marathon = Marathon::of("sick", 1).await;
    let token = Token::new();
    let check = json!([{
        "protocol": "COMMAND", "command": { "value": "test ! -e sick" }, "delaySeconds": 0, "intervalSeconds": 1,
        "gracePeriodSeconds": 0, "maxConsecutiveFailures": 2,
    }]);
    marathon.add("web", &token, &json!({ "healthChecks": check, "backoffSeconds": 0.2 }));
    marathon.settled().await;
    let before = until_run(&token, 1).await;
    fs::write(format!("/proc/{}/cwd/sick", before[0]), "").expect("a file in its sandbox");
    marathon.until("/v2/apps/web", "with none that works", |app| app["app"]["tasksUnhealthy"] == 1).await;
    let is_other = |pids: &Vec<u32>| pids.len() == 1 && *pids != before;
    eventually("another one", async || Some(token.processes()).filter(is_other)).await;
    let app = marathon.until("/v2/apps/web", "with one that works", |app| app["app"]["tasksHealthy"] == 1).await;
    assert!(app["app"]["lastTaskFailure"]["state"].is_string(), "{app}");
}

#[tokio::test]
async fn the_youngest_goes_first_or_the_oldest_and_what_is_killed_runs_again_unless_it_is_scaled() {
    let marathon = Marathon::of("selection", 1).await;
    let (young, old) = (Token::new(), Token::new());
    marathon.add("young", &young, &json!({}));
    marathon.add("old", &old, &json!({ "killSelection": "OLDEST_FIRST" }));
    let mut began = (Vec::new(), Vec::new());
    for instances in 1..=3 {
        for id in ["young", "old"] {
            marathon.done("PUT", &format!("/v2/apps/{id}"), &json!({ "instances": instances }));
        }
        marathon.settled().await;
        for (token, began) in [(&young, &mut began.0), (&old, &mut began.1)] {
            let new: Vec<u32> = until_run(token, instances).await;
            began.extend(new.into_iter().filter(|pid| !began.contains(pid)).collect::<Vec<_>>());
        }
    }
    for id in ["young", "old"] {
        marathon.done("PUT", &format!("/v2/apps/{id}"), &json!({ "instances": 1 }));
    }
    marathon.settled().await;
    assert_eq!(until_run(&young, 1).await, [began.0[0]]);
    assert_eq!(until_run(&old, 1).await, [began.1[2]]);

    let task = |id: &str| marathon.tasks(id)[0]["id"].as_str().expect("an id").to_owned();
    let killed = marathon.done("DELETE", &format!("/v2/apps/young/tasks/{}", task("young")), &Value::Null);
    assert_eq!(killed["task"]["appId"], "/young");
    eventually("another one", async || Some(young.processes()).filter(|all| all.len() == 1 && all[0] != began.0[0]))
        .await;
    let scaled = marathon.done("POST", "/v2/tasks/delete?scale=true", &json!({ "ids": [task("old")] }));
    assert!(scaled["deploymentId"].is_string(), "{scaled}");
    marathon.settled().await;
    until_run(&old, 0).await;
    assert_eq!(marathon.get("/v2/apps/old")["app"]["instances"], 0);
}
