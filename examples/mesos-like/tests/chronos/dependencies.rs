//! Jobs after jobs.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Chronos, pass};

#[tokio::test]
async fn a_diamond_of_four_jobs_runs_in_order_and_once() {
    let chronos = Chronos::of("diamond", 2, &[]).await;
    // Nothing runs before all of them are there.
    chronos.add("top", &json!({ "schedule": "R0//PT1H", "command": "sleep 0.3" }));
    chronos.add("left", &json!({ "parents": ["top"], "command": "sleep 0.3" }));
    chronos.add("right", &json!({ "parents": ["top"], "command": "sleep 1" }));
    chronos.add("bottom", &json!({ "parents": ["left", "right"] }));
    chronos.add("top", &json!({ "schedule": "R1//PT1H", "command": "sleep 0.3" }));
    chronos.until_successes("bottom", 1).await;
    pass(2_000).await;
    let names: Vec<String> = chronos.lines("").into_iter().map(|line| line.words[0].clone()).collect();
    assert_eq!(names.len(), 4, "each runs once: {names:?}");
    assert_eq!((names[0].as_str(), names[3].as_str()), ("top", "bottom"), "{names:?}");
    let bottom = &chronos.lines("bottom")[0];
    assert!(bottom.at - chronos.lines("right")[0].at >= 1_000, "it runs after the later of both has ended");
    let graph = chronos.ask("GET", "/v1/scheduler/graph/csv", "").body;
    let graph = graph.as_str().expect("text");
    for line in ["node,top,success,idle", "link,top,left", "link,top,right", "link,left,bottom", "link,right,bottom"] {
        assert!(graph.lines().any(|found| found == line), "{line}: {graph}");
    }
    // Once more, by hand.
    let marked = chronos.ask("PUT", "/v1/scheduler/job/success/left", "");
    assert_eq!(marked.status, 200);
    pass(1_500).await;
    assert_eq!(chronos.lines("bottom").len(), 1, "only one of its parents has succeeded anew");
    chronos.done("PUT", "/v1/scheduler/job/right", &Value::Null);
    chronos.until_successes("bottom", 2).await;
}

#[tokio::test]
async fn a_parent_that_fails_is_tried_again_and_holds_back_its_child() {
    let chronos = Chronos::of("retries", 1, &[]).await;
    let tries = chronos.cluster.folder().join("tries");
    chronos.add("parent", &json!({ "schedule": "R0//PT1H", "command": "true" }));
    chronos.add("child", &json!({ "parents": ["parent"] }));
    let file = tries.display();
    let third = format!("echo try >> {file}; test $(wc -l < {file}) -ge 3");
    chronos.add("parent", &json!({ "schedule": "R1//PT1H", "command": third, "retries": 2 }));
    chronos.until_successes("child", 1).await;
    let parents = chronos.lines("parent");
    let attempts: Vec<&str> = parents.iter().map(|line| line.words[2].as_str()).collect();
    assert_eq!(attempts, ["0", "1", "2"]);
    assert!(parents.windows(2).all(|pair| pair[0].words[1] == pair[1].words[1]), "one slot: {parents:?}");
    assert!(parents.windows(2).all(|pair| pair[1].at - pair[0].at >= 500), "after a while: {parents:?}");
    let child = chronos.lines("child");
    assert!(child.len() == 1 && child[0].at > parents[2].at, "{child:?}");
    assert_eq!(fs::read_to_string(&tries).expect("tries").lines().count(), 3);
    let parent = chronos.job("parent");
    assert_eq!((&parent["successCount"], &parent["errorCount"]), (&json!(1), &json!(0)), "{parent}");
}

#[tokio::test]
async fn a_parent_that_fails_for_good_holds_back_its_child_unless_errors_are_soft_and_is_disabled_if_that_is_asked_for()
{
    let chronos = Chronos::of("fails", 1, &["--disable_after_failures=1"]).await;
    for (name, soft) in [("hard", false), ("soft", true)] {
        chronos.add(name, &json!({ "schedule": "R0//PT1H" }));
        chronos.add(&format!("after-{name}"), &json!({ "parents": [name] }));
        let job = json!({ "schedule": "R5//PT1H", "command": "exit 3", "retries": 1, "softError": soft });
        chronos.add(name, &job);
    }
    chronos.until_successes("after-soft", 1).await;
    let hard = chronos.until("hard", "to fail", |job| job["errorCount"] == 1).await;
    assert_eq!((&hard["disabled"], &hard["errorsSinceLastSuccess"]), (&json!(true), &json!(1)), "{hard}");
    assert!(hard["lastError"].as_str().is_some_and(|at| !at.is_empty()) && hard["lastSuccess"] == "", "{hard}");
    assert_eq!((chronos.lines("hard").len(), chronos.lines("after-hard").len()), (2, 0));
    let summary = chronos.ask("GET", "/v1/scheduler/jobs/summary", "").body;
    let of =
        |name: &str| summary["jobs"].as_array().and_then(|jobs| jobs.iter().find(|job| job["name"] == name)).cloned();
    assert_eq!(of("hard").map(|job| job["status"].clone()), Some(json!("failure")), "{summary}");
    assert_eq!(of("after-hard").map(|job| job["status"].clone()), Some(json!("fresh")), "{summary}");
    // Somebody has looked, and all is well.
    let marked = chronos.ask("PUT", "/v1/scheduler/job/success/hard", "");
    assert_eq!((marked.status, marked.body), (200, json!("marked job hard as successful: true")));
    chronos.until_successes("after-hard", 1).await;
}

#[tokio::test]
async fn when_a_job_goes_those_after_it_run_after_its_parents_or_at_its_times() {
    let chronos = Chronos::of("deleted", 1, &[]).await;
    chronos.add("a", &json!({ "schedule": "R5/2040-01-01T00:00:00Z/P1D" }));
    chronos.add("b", &json!({ "parents": ["a"], "command": "sleep 1000" }));
    chronos.add("c", &json!({ "parents": ["b"] }));
    chronos.done("PUT", "/v1/scheduler/job/b", &Value::Null);
    chronos.until("b", "to run", |_| !chronos.lines("b").is_empty()).await;
    chronos.done("DELETE", "/v1/scheduler/job/b", &Value::Null);
    assert_eq!(chronos.ask("GET", "/v1/scheduler/job/b", "").status, 400);
    assert_eq!(chronos.job("c")["parents"], json!(["a"]));
    crate::cluster::eventually("the end of b's task", async || {
        let state = chronos.cluster.get(&chronos.cluster.master(1), "/tasks").await;
        let tasks = state["tasks"].as_array()?;
        tasks.iter().all(|task| task["state"] == "TASK_KILLED").then_some(())
    })
    .await;
    chronos.done("DELETE", "/v1/scheduler/job/a", &Value::Null);
    let orphan = chronos.job("c");
    assert_eq!(orphan["schedule"], "R5/2040-01-01T00:00:00.000Z/P1D", "{orphan}");
    assert!(orphan.get("parents").is_none(), "{orphan}");
}
