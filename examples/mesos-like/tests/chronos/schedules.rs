//! Jobs at times.

use serde_json::{Value, json};

use crate::client::{Chronos, in_millis, pass};

/// How far a run may be from its slot: an offer is waited for, and a process started.
const LATE: i64 = 2_500;

#[tokio::test]
async fn what_is_to_run_three_times_five_seconds_apart_does_and_never_again() {
    let chronos = Chronos::of("three", 1, &[]).await;
    let start = in_millis(1_000);
    chronos.add("three", &json!({ "schedule": format!("R3/{start}/PT5S") }));
    let first = chronos.until("three", "to begin", |job| job["schedule"] != format!("R3/{start}/PT5S")).await;
    assert!(first["schedule"].as_str().is_some_and(|schedule| schedule.starts_with("R2/")), "{first}");
    let job = chronos.until_successes("three", 3).await;
    assert_eq!((&job["disabled"], &job["errorCount"]), (&json!(true), &json!(0)), "{job}");
    assert!(job["schedule"].as_str().is_some_and(|schedule| schedule.starts_with("R0/")), "{job}");
    pass(6_000).await;
    let lines = chronos.lines("three");
    let [one, two, three] = &lines[..] else { panic!("three runs: {lines:?}") };
    let slot = |line: &crate::client::Line| line.words[1].parse::<i64>().expect("a slot");
    assert_eq!((slot(two) - slot(one), slot(three) - slot(two)), (5_000, 5_000), "slots are exactly so far apart");
    for line in [one, two, three] {
        assert!((0..LATE).contains(&(line.at - slot(line))), "{line:?} is near its slot");
        assert_eq!(line.words[2], "0", "the first attempt");
    }
}

#[tokio::test]
async fn an_empty_start_is_now_and_slots_that_were_missed_become_one_run_if_they_are_not_too_old() {
    let chronos = Chronos::of("missed", 1, &[]).await;
    chronos.add("now", &json!({ "schedule": "R1//PT1H" }));
    chronos.add("old", &json!({ "schedule": format!("R2/{}/PT2H", in_millis(-3_600_000)) }));
    chronos.add("older", &json!({ "schedule": format!("R1/{}/PT2H", in_millis(-3_600_000)), "epsilon": "PT2H" }));
    chronos.add("many", &json!({ "schedule": format!("R9/{}/PT1M", in_millis(-3_610_000)) }));
    chronos.add("disabled", &json!({ "schedule": "R1//PT1H", "disabled": true }));
    chronos.add("over", &json!({ "schedule": "R0//PT1S" }));
    for name in ["now", "older", "many"] {
        chronos.until_successes(name, 1).await;
    }
    pass(2_000).await;
    let count = |name: &str| chronos.lines(name).len();
    assert_eq!(["now", "old", "older", "many", "disabled", "over"].map(count), [1, 0, 1, 1, 0, 0]);
    let schedule = |name: &str| chronos.job(name)["schedule"].as_str().unwrap_or_default()[..3].to_owned();
    assert_eq!(["now", "old", "older", "many", "over"].map(schedule), ["R0/", "R2/", "R0/", "R8/", "R0/"]);
}

#[tokio::test]
async fn a_run_that_takes_longer_than_a_period_is_not_overlapped_unless_the_job_says_so() {
    let chronos = Chronos::of("overlap", 1, &[]).await;
    for (name, concurrent) in [("alone", false), ("together", true)] {
        let job = json!({ "schedule": "R3//PT1S", "concurrent": concurrent, "command": "sleep 3" });
        chronos.add(name, &job);
    }
    for name in ["alone", "together"] {
        chronos.until_successes(name, 3).await;
    }
    let gaps = |name: &str| {
        let lines = chronos.lines(name);
        lines.windows(2).map(|pair| pair[1].at - pair[0].at).collect::<Vec<_>>()
    };
    assert!(gaps("alone").iter().all(|gap| *gap >= 3_000), "{:?}", gaps("alone"));
    assert!(gaps("together").iter().all(|gap| *gap < 3_000), "{:?}", gaps("together"));
    let history = chronos.ask("GET", "/v1/scheduler/job/stat/alone", "").body;
    assert_eq!(history["histogram"]["count"], 3, "{history}");
    assert_eq!(history["taskStatHistory"].as_array().map(Vec::len), Some(3), "{history}");
}

#[tokio::test]
async fn run_now_runs_at_once_with_arguments_and_not_what_is_disabled() {
    let chronos = Chronos::of("now", 1, &[]).await;
    let said = chronos.cluster.folder().join("said");
    let job = json!({ "schedule": format!("R/{}/P1D", in_millis(3_600_000)), "command": format!("echo >> {}", said.display()) });
    chronos.add("a", &job);
    chronos.done("PUT", "/v1/scheduler/job/a?arguments=one+two", &Value::Null);
    chronos.until_successes("a", 1).await;
    let history = chronos.ask("GET", "/v1/scheduler/job/stat/a", "").body;
    let task = history["taskStatHistory"][0]["taskId"].as_str().unwrap_or_default().to_owned();
    assert!(task.starts_with("ct:") && task.ends_with(":0:a:one two"), "{task}");
    assert_eq!(history["taskStatHistory"][0]["status"], "Success", "{history}");
    assert_eq!(chronos.lines("a").len(), 1);
    let mut off = job;
    off["disabled"] = true.into();
    chronos.add("a", &off);
    let refused = chronos.ask("PUT", "/v1/scheduler/job/a", "");
    assert_eq!(refused.status, 400);
    assert!(refused.body["message"].as_str().is_some_and(|why| why.contains("disabled")), "{refused:?}");
}
