use serde_json::json;

use super::*;

fn read(job: &Value) -> Result<Definition, String> {
    Definition::read(job, &Defaults::default(), "2026-11-28T12:00:00Z".parse().expect("a time"))
}

#[test]
fn what_a_job_does_not_say_is_as_chronos_has_it() {
    let job =
        read(&json!({ "name": "a", "command": "true", "schedule": "R/2026-12-01T00:00:00Z/P1D" })).expect("a job");
    let json = Value::Object(job.to_json());
    for (field, value) in [
        ("shell", json!(true)),
        ("retries", json!(2)),
        ("cpus", json!(0.1)),
        ("mem", json!(128.0)),
        ("disk", json!(256.0)),
        ("epsilon", json!("PT60S")),
        ("disabled", json!(false)),
        ("concurrent", json!(false)),
        ("softError", json!(false)),
        ("async", json!(false)),
        ("schedule", json!("R/2026-12-01T00:00:00.000Z/P1D")),
        ("scheduleTimeZone", json!("")),
        ("uris", json!([])),
        ("arguments", json!([])),
    ] {
        assert_eq!(json[field], value, "{field}");
    }
    assert!(json.get("container").is_none() && json.get("parents").is_none());
}

#[test]
fn what_is_written_is_read_as_the_same_and_numbers_may_be_text() {
    let job = json!({
        "name": "all.of_it-1", "command": "run", "shell": "false", "arguments": ["-v", 3], "cpus": "0.5", "mem": "512",
        "retries": "0", "owner": null, "unknown": { "x": 1 }, "parents": ["b", "a", "b"], "runAsUser": "nobody",
        "epsilon": "PT15M", "maxCompletionTime": 60, "highPriority": true,
        "environmentVariables": [{ "name": "A", "value": 1 }, { "name": "B" }],
        "fetch": [{ "uri": "http://h/a.tgz", "extract": false, "output_file": "b" }],
        "constraints": [["rack", "LIKE", "r.*"]],
        "container": {
            "type": "mesos", "image": "busybox", "forcePullImage": "true", "network": "BRIDGE",
            "volumes": [{ "containerPath": "/c", "hostPath": "/h", "mode": "RO" }, { "containerPath": "/d" }],
            "parameters": [{ "key": "a", "value": "x" }],
            "networkInfos": [{ "name": "n", "labels": [{ "key": "k", "value": "v" }],
                               "portMappings": [{ "hostPort": 1, "containerPort": "80", "protocol": "tcp" }] }],
        },
    });
    let job = read(&job).expect("a job");
    assert_eq!((job.cpus, job.retries, job.shell, job.container.is_some()), (0.5, 0, false, true));
    assert_eq!(job.parents().map(BTreeSet::len), Some(2));
    let again = read(&Value::Object(job.to_json())).expect("the same job");
    assert_eq!(again, job);
    let plain = read(&json!({ "name": "a", "command": "x", "uris": ["http://h/a"] })).expect("a job");
    assert_eq!((plain.fetch.len(), plain.fetch[0].extract), (1, true));
    assert_eq!(plain.schedule().and_then(Schedule::left), Some(1), "without a schedule it runs once, now");
}

#[test]
fn what_is_no_job_is_refused_by_its_field() {
    let with = |field: &str, value: Value| {
        let mut job = json!({ "name": "a", "command": "true", "schedule": "R//PT1H" });
        job[field] = value;
        job
    };
    for (job, part) in [
        (json!([]), "no JSON object"),
        (json!({ "command": "true" }), "name is missing"),
        (with("name", json!("a b")), "Allowed names"),
        (with("name", json!("a/b")), "Allowed names"),
        (with("name", json!("a".repeat(129))), "longer than 128"),
        (with("command", json!("")), "command is missing"),
        (with("cpus", json!("many")), "cpus: \"many\" is not an amount"),
        (with("mem", json!(-1)), "mem: -1 is not"),
        (with("retries", json!(1.5)), "retries: 1.5 is not a whole number"),
        (with("shell", json!("maybe")), "shell: \"maybe\""),
        (with("epsilon", json!("soon")), "epsilon: 'soon'"),
        (with("parents", json!(["b"])), "not both"),
        (json!({ "name": "a", "command": "true", "parents": [] }), "parents is empty"),
        (with("schedule", json!("0 4 * * *")), "cron expression"),
        (with("constraints", json!([["rack"]])), "constraints[0]"),
        (with("container", json!({ "type": "DOCKER" })), "container.image is missing"),
        (with("container", json!({ "image": "x", "type": "rkt" })), "container.type: RKT"),
        (with("environmentVariables", json!([{ "value": "x" }])), "environmentVariables[0].name is missing"),
        (with("fetch", json!([{ "uri": "a" }])), ""),
    ] {
        let refused = read(&job).err().unwrap_or_default();
        assert!(refused.contains(part), "{job}: {refused}");
        assert!(part.is_empty() || !refused.is_empty(), "{job} is refused");
    }
    let mut both = with("fetch", json!([{ "uri": "a" }]));
    both["uris"] = json!(["b"]);
    assert!(read(&both).is_err_and(|refused| refused.contains("leave the older uris out")));
}
