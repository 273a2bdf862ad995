//! What cannot be is refused with the reason.

use serde_json::json;

use crate::client::Chronos;

#[tokio::test]
async fn what_is_no_job_is_refused_with_what_to_write() {
    let chronos = Chronos::of("refused", 0, &[]).await;
    let scheduled = |schedule: &str| json!({ "name": "x", "command": "true", "schedule": schedule }).to_string();
    let after =
        |name: &str, parents: &[&str]| json!({ "name": name, "command": "true", "parents": parents }).to_string();
    chronos.add("a", &json!({ "schedule": "R0//PT1H" }));
    chronos.add("b", &json!({ "parents": ["a"] }));
    chronos.add("c", &json!({ "parents": ["b"] }));
    let (iso, dependency) = ("/v1/scheduler/iso8601", "/v1/scheduler/dependency");
    for (method, path, body, status, part) in [
        ("POST", iso, "{", 400, "no JSON"),
        ("POST", iso, "[]", 400, "no JSON object"),
        ("POST", iso, &scheduled("*/5 * * * *"), 400, "cron expression"),
        ("POST", iso, &scheduled("every day"), 400, "Cannot parse schedule 'every day'"),
        ("POST", iso, &scheduled("R/1969-01-01T00:00:00Z/P1D"), 400, "is before 1970"),
        ("POST", iso, &json!({ "name": "a b", "command": "true" }).to_string(), 400, "the job's name is invalid"),
        ("POST", iso, &after("x", &["a"]), 400, "at /scheduler/dependency"),
        ("POST", dependency, &scheduled("R//PT1H"), 400, "parents is missing"),
        ("POST", dependency, &after("x", &["a", "no", "none"]), 400, "no job 'no' and no job 'none'"),
        ("POST", dependency, &after("x", &["x"]), 400, "'x' would depend on itself"),
        ("POST", dependency, &after("a", &["c"]), 400, "'a' would depend on itself: a after c after b after a"),
        ("POST", dependency, &after("b", &["c"]), 400, "'b' would depend on itself"),
        ("GET", "/v1/scheduler/job/none", "", 400, "Job 'none' not found"),
        ("PUT", "/v1/scheduler/job/none", "", 400, "Job 'none' not found"),
        ("DELETE", "/v1/scheduler/job/none", "", 400, "Job 'none' not found"),
        ("DELETE", "/v1/scheduler/task/kill/none", "", 400, "Job 'none' not found"),
        ("GET", "/v1/scheduler/job/stat/none", "", 400, "Job 'none' not found"),
        ("GET", "/v1/scheduler/stats/mode", "", 400, "75thPercentile"),
        ("GET", "/v1/scheduler/jobs/search?limit=x", "", 400, "limit"),
        ("GET", "/v2/apps", "", 404, "nothing at /v2/apps"),
        ("PATCH", "/v1/scheduler/job/a", "", 405, "GET, PUT, DELETE"),
    ] {
        let answer = chronos.ask(method, path, body);
        assert_eq!(answer.status, status, "{method} {path} {body}: {answer:?}");
        let message = answer.body["message"].as_str().unwrap_or_default();
        assert!(message.contains(part), "{method} {path} {body}: {message}");
        assert!(answer.body["status"].is_string() && answer.head.contains("application/json"), "{answer:?}");
    }
    assert_eq!(chronos.job("a")["schedule"].as_str().map(|schedule| &schedule[..3]), Some("R0/"), "all is as it was");
    assert_eq!(chronos.job("b")["parents"], json!(["a"]));
}
