//! What jobs say of their tasks, and how tasks are ended.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Chronos, in_millis};
use crate::cluster::eventually;

/// A schedule that is not due while a test runs.
fn later() -> String {
    format!("R/{}/P1D", in_millis(3_600_000))
}

#[tokio::test]
async fn tasks_run_where_constraints_let_them_with_what_the_job_fetches_and_sets() {
    let chronos = Chronos::of("tasks", 3, &[]).await;
    let folder = chronos.cluster.folder().to_owned();
    let (fetched, said) = (folder.join("fetched.txt"), folder.join("said"));
    fs::write(&fetched, "fetched").expect("a file");
    let command = format!("echo \"$HOST $OWN $CHRONOS_JOB_OWNER $(cat own.txt) $mesos_task_id\" >> {}", said.display());
    let job = json!({
        "schedule": later(), "command": command,
        "constraints": [["rack", "EQUALS", "r1"], ["hostname", "UNLIKE", "agent-1"]],
        "environmentVariables": [{ "name": "OWN", "value": "own" }],
        "fetch": [{ "uri": fetched, "output_file": "own.txt" }],
    });
    chronos.add("a", &job);
    chronos.done("PUT", "/v1/scheduler/job/a", &Value::Null);
    chronos.until_successes("a", 1).await;
    let said = fs::read_to_string(&said).expect("said");
    assert!(said.starts_with("agent-3 own test fetched ct:"), "{said}");
    chronos.add("nowhere", &json!({ "schedule": later(), "constraints": [["rack", "EQUALS", "r9"]] }));
    chronos.done("PUT", "/v1/scheduler/job/nowhere", &Value::Null);
    let summary = chronos.ask("GET", "/v1/scheduler/jobs/summary", "").body;
    assert_eq!(summary["jobs"][1]["state"], "queued", "{summary}");
}

#[tokio::test]
async fn a_program_is_started_with_its_arguments_as_they_are() {
    let chronos = Chronos::of("program", 1, &[]).await;
    let said = chronos.cluster.folder().join("said");
    let script = chronos.cluster.folder().join("script.sh");
    fs::write(&script, format!("#!/bin/sh\nprintf '[%s]' \"$@\" > {}\n", said.display())).expect("a file");
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a program");
    let job = json!({ "name": "a", "command": script, "shell": false, "arguments": ["a b", "$HOME"], "schedule": "R1//PT1H" });
    chronos.done("POST", "/v1/scheduler/iso8601", &job);
    chronos.until_successes("a", 1).await;
    assert_eq!(fs::read_to_string(&said).expect("said"), "[a b][$HOME]");
}

#[tokio::test]
async fn tasks_that_are_killed_are_not_tried_again_and_count_for_nothing() {
    let chronos = Chronos::of("kill", 1, &[]).await;
    chronos.add("a", &json!({ "schedule": later(), "command": "sleep 1000" }));
    chronos.done("PUT", "/v1/scheduler/job/a", &Value::Null);
    chronos.done("PUT", "/v1/scheduler/job/a", &Value::Null);
    let state = async || {
        let summary = chronos.ask("GET", "/v1/scheduler/jobs/summary", "").body;
        summary["jobs"][0]["state"].as_str().map(str::to_owned)
    };
    eventually("a task", async || (state().await? == "1 running" && !chronos.lines("a").is_empty()).then_some(()))
        .await;
    chronos.done("DELETE", "/v1/scheduler/task/kill/a", &Value::Null);
    eventually("the end", async || (state().await? == "idle").then_some(())).await;
    let job = chronos.job("a");
    assert_eq!((&job["successCount"], &job["errorCount"]), (&json!(0), &json!(0)), "{job}");
    let history = chronos.ask("GET", "/v1/scheduler/job/stat/a", "").body;
    assert_eq!(history["taskStatHistory"].as_array().map(Vec::len), Some(1), "{history}");
    assert_eq!(history["taskStatHistory"][0]["message"], "killed", "{history}");
    assert_eq!(chronos.lines("a").len(), 1, "the one that waited is not run either");
}

#[tokio::test]
async fn a_task_that_takes_too_long_is_ended_and_has_failed() {
    let chronos = Chronos::of("long", 1, &[]).await;
    let job = json!({ "schedule": "R1//PT1H", "command": "sleep 1000", "maxCompletionTime": 1, "retries": 0 });
    chronos.add("a", &job);
    chronos.until("a", "to fail", |job| job["errorCount"] == 1).await;
}

#[tokio::test]
async fn jobs_are_listed_found_and_measured() {
    let chronos = Chronos::of("listed", 1, &[]).await;
    assert_eq!(chronos.ask("GET", "/v1/scheduler/jobs", "").body, json!([]));
    assert_eq!(chronos.ask("GET", "/v1/scheduler/graph/csv", "").status, 204);
    for name in ["report", "Backup", "other"] {
        chronos.add(name, &json!({ "schedule": later(), "command": format!("sleep 0.1 # of {name}") }));
    }
    chronos.done("PUT", "/v1/scheduler/job/report", &Value::Null);
    chronos.until_successes("report", 1).await;
    let found = |query: &str| {
        let answer = chronos.ask("GET", &format!("/v1/scheduler/jobs/search?{query}"), "");
        let names =
            answer.body.as_array().expect("a list").iter().filter_map(|job| job["name"].as_str()).map(str::to_owned);
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found("name=back"), "Backup");
    assert_eq!(found("command=of%20report"), "report");
    assert_eq!(found("any=o"), "Backup other report");
    assert_eq!(found("name=o&offset=1&limit=1"), "report");
    assert_eq!(found("name=none"), "");
    let slowest = chronos.ask("GET", "/scheduler/stats/99thPercentile", "").body;
    assert_eq!(slowest[0]["jobNameLabel"], "report", "{slowest}");
    assert!(slowest[0]["time"].as_f64().is_some_and(|time| time > 0.0), "{slowest}");
    let metrics = chronos.ask("GET", "/metrics", "").body;
    assert_eq!(metrics["counters"]["jobs.run.success.report"]["count"], 1, "{metrics}");
    let leader = chronos.ask("GET", "/leader", "").body;
    assert_eq!(leader["leader"], chronos.address(1));
    let dot = chronos.ask("GET", "/v1/scheduler/graph/dot", "").body;
    assert!(dot.as_str().is_some_and(|dot| dot.starts_with("digraph G {")), "{dot}");
}
