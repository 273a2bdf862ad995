//! What is refused, with which status, and what is said of it.

use serde_json::{Value, json};

use crate::client::{Answer, Marathon, Token, app, ask};

/// Where it is wrong, and part of what is said of that.
fn details(answer: &Answer) -> Vec<(String, String)> {
    let all = answer.body["details"].as_array().cloned().unwrap_or_default().into_iter();
    all.map(|detail| {
        let path = detail["path"].as_str().expect("a path").to_owned();
        (path, detail["errors"].to_string())
    })
    .collect()
}

/// What is wrong with an app, at which path, and part of what is said of it.
fn wrong_apps() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (json!({ "constraints": [["rack", "NEAR", "a"]] }), "/constraints(0)", "NEAR"),
        (json!({ "constraints": [["rack", "MAX_PER", "0"]] }), "/constraints(0)", "whole number"),
        (json!({ "constraints": [["rack", "LIKE", "("]] }), "/constraints(0)", "("),
        (
            json!({ "constraints": [["rack", "IS", "a"], ["rack", "CLUSTER", "b"]] }),
            "/constraints(1)",
            "cannot be both",
        ),
        (json!({ "portDefinitions": [{ "port": 70_000 }] }), "/portDefinitions(0)/port", "65535"),
        (json!({ "portDefinitions": [{ "port": 99 }, { "port": 99 }] }), "/portDefinitions(1)/port", "twice"),
        (json!({ "instances": -1 }), "/instances", "-1"),
        (json!({ "cpus": -0.5 }), "/cpus", "-0.5"),
        (
            json!({ "upgradeStrategy": { "minimumHealthCapacity": 1.5 } }),
            "/upgradeStrategy/minimumHealthCapacity",
            "1.5",
        ),
        (json!({ "args": ["x"] }), "/args", "cmd"),
        (json!({ "dependencies": ["/wrong"] }), "/dependencies", "part of it"),
        (json!({ "id": "/We b" }), "/id", "We b"),
        (json!({ "nonsense": 1 }), "/nonsense", ""),
        (
            json!({ "unreachableStrategy": { "inactiveAfterSeconds": 9, "expungeAfterSeconds": 3 } }),
            "/unreachableStrategy/inactiveAfterSeconds",
            "before",
        ),
        (json!({ "healthChecks": [{ "protocol": "HTTP", "portIndex": 3 }] }), "/healthChecks(0)/portIndex", "3"),
        (json!({ "killSelection": "RANDOM" }), "/killSelection", "RANDOM"),
    ]
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_the_status_that_clients_know_and_where_it_is_wrong() {
    let marathon = Marathon::of("bad-input", 1).await;
    let token = Token::new();
    expect_no_wrong_app(&marathon, &token);
    marathon.add("web", &token, &json!({}));
    marathon.settled().await;
    expect_statuses(&marathon, &token);
    expect_no_wrong_group(&marathon, &token);
    expect_no_wrong_list(&marathon, &token);
    marathon.settled().await;
    expect_locked(&marathon, &token);
    marathon.settled().await;
}

fn expect_no_wrong_app(marathon: &Marathon, token: &Token) {
    for (more, path, part) in wrong_apps() {
        let answer = marathon.ask("POST", "/v2/apps", &app("/wrong", token, &more));
        assert_eq!(
            (answer.status, &answer.body["message"]),
            (422, &json!("Object is not valid")),
            "{more}: {answer:?}"
        );
        let found = details(&answer);
        assert!(found.iter().any(|(at, errors)| at == path && errors.contains(part)), "{more}: {answer:?}");
    }
    let nothing = marathon.ask("POST", "/v2/apps", &json!({ "id": "/wrong" }));
    assert_eq!((nothing.status, details(&nothing)[0].0.as_str()), (422, "/"), "{nothing:?}");
    assert_eq!(marathon.get("/v2/apps"), json!({ "apps": [] }), "nothing came of any");
}

/// Of an app `/web` there is.
fn expect_statuses(marathon: &Marathon, token: &Token) {
    let none = Value::Null;
    let web = app("/web", token, &json!({}));
    for (method, path, body, status, part) in [
        ("POST", "/v2/apps", &web, 409, "An app with id [/web] already exists."),
        ("GET", "/v2/apps/nobody", &none, 404, "App '/nobody' does not exist"),
        ("DELETE", "/v2/apps/nobody", &none, 404, "App '/nobody' does not exist"),
        ("POST", "/v2/apps/nobody/restart", &none, 404, "App '/nobody' does not exist"),
        ("GET", "/v2/apps/nobody/tasks", &none, 404, "App '/nobody' does not exist"),
        ("GET", "/v2/apps/nobody/versions", &none, 404, "App '/nobody' does not exist"),
        ("GET", "/v2/apps/web/versions/2001-01-01T00:00:00.000Z", &none, 404, "no version"),
        ("PUT", "/v2/apps/web", &json!({ "version": "2001-01-01T00:00:00.000Z" }), 404, "no version"),
        ("PUT", "/v2/apps/web", &json!({ "version": "yesterday" }), 422, "not valid"),
        ("PUT", "/v2/apps/web", &none, 400, "Invalid JSON"),
        ("PUT", "/v2/apps", &json!({}), 400, "Invalid JSON"),
        ("POST", "/v2/apps", &json!(["no app"]), 400, "Invalid JSON"),
        ("DELETE", "/v2/apps/web/tasks/web.nobody", &none, 404, "no such task"),
        ("DELETE", "/v2/apps/web/tasks?scale=true&wipe=true", &none, 400, "scale and wipe"),
        ("POST", "/v2/tasks/delete", &json!({}), 400, "Invalid JSON"),
        ("GET", "/v2/tasks?status=odd", &none, 400, "odd"),
        ("GET", "/v2/apps?label=a%20b", &none, 400, "selects no label"),
        ("GET", "/v2/groups/nobody", &none, 404, "Group '/nobody' does not exist"),
        ("DELETE", "/v2/groups/nobody", &none, 404, "Group '/nobody' does not exist"),
        ("DELETE", "/v2/groups", &none, 400, "force"),
        ("DELETE", "/v2/deployments/nobody", &none, 404, "does not exist"),
        ("DELETE", "/v2/queue/nobody/delay", &none, 404, "not in the queue"),
        ("GET", "/v2/events", &none, 406, "text/event-stream"),
        ("GET", "/v2/pods", &none, 404, "pods"),
        ("GET", "/v3", &none, 404, "/v2"),
        ("DELETE", "/v2/apps", &none, 405, "GET"),
        ("POST", "/v2/queue", &none, 405, "GET"),
    ] {
        let answer = marathon.ask(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let message = answer.body["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty() && message.contains(part), "{method} {path}: {answer:?}");
    }
    let address = marathon.address(1);
    let malformed = ask(&address, "POST", "/v2/apps", "{\"id\": \"/web\",").expect("an answer");
    assert_eq!((malformed.status, &malformed.body["message"]), (400, &json!("Invalid JSON")));
    let unlike = ask(&address, "POST", "/v2/apps", "{\"id\": \"/other\", \"cmd\": [1]}").expect("an answer");
    assert_eq!(unlike.status, 422, "{unlike:?}");
}

/// Groups: circles, apps that are groups, apps that are named twice.
fn expect_no_wrong_group(marathon: &Marathon, token: &Token) {
    let inner = |id: &str, more: &Value| app(id, token, more);
    for (group, path, part) in [
        (
            json!({ "id": "/g", "apps": [inner("a", &json!({ "dependencies": ["b"] })), inner("b", &json!({ "dependencies": ["a"] }))] }),
            "/dependencies",
            "circle",
        ),
        (json!({ "id": "/g", "apps": [inner("a", &json!({})), inner("a", &json!({}))] }), "/apps(1)/id", "twice"),
        (json!({ "id": "/g", "apps": [inner("a", &json!({ "cpus": -1 }))] }), "/apps(0)/cpus", "-1"),
        (json!({ "id": "/web", "apps": [inner("a", &json!({}))] }), "/id", "/web is an app"),
    ] {
        let answer = marathon.ask("POST", "/v2/groups", &group);
        assert_eq!(answer.status, 422, "{group}: {answer:?}");
        assert!(details(&answer).iter().any(|(at, errors)| at == path && errors.contains(part)), "{group}: {answer:?}");
    }
}

/// Several apps at once: it is said which one is wrong; and what is there already is not made again.
fn expect_no_wrong_list(marathon: &Marathon, token: &Token) {
    let new = |id: &str, more: &Value| app(id, token, more);
    for (apps, path, part) in [
        (json!([new("/new", &json!({})), new("new", &json!({}))]), "(1)/id", "/new is named twice"),
        (json!([new("/new", &json!({})), { "cmd": "true" }]), "(1)/id", "has to be there"),
        (json!([{ "id": "web", "cpus": -1 }]), "(0)/cpus", "-1"),
    ] {
        let answer = marathon.ask("PUT", "/v2/apps", &apps);
        assert_eq!(answer.status, 422, "{apps}: {answer:?}");
        assert!(details(&answer).iter().any(|(at, errors)| at == path && errors.contains(part)), "{apps}: {answer:?}");
    }
    assert_eq!(marathon.ask("PUT", "/v2/apps", &json!([])).status, 200);
    assert_eq!(marathon.ask("PUT", "/v2/apps", &json!([{ "id": "web", "labels": { "a": "b" } }])).status, 200);
    assert_eq!(marathon.ask("POST", "/v2/groups", &json!({ "id": "/there" })).status, 201);
    let again = marathon.ask("POST", "/v2/groups", &json!({ "id": "/there" }));
    let message = json!("Group /there is already created. Use PUT to change this group.");
    assert_eq!((again.status, &again.body["message"]), (409, &message));
}

/// Locked: by the deployment of an app that never fits.
fn expect_locked(marathon: &Marathon, token: &Token) {
    let none = Value::Null;
    let large = marathon.add("large", token, &json!({ "cpus": 100 }));
    let deployment = &large["deployments"][0]["id"];
    for (method, path, body) in [
        ("PUT", "/v2/apps/large", &json!({ "cpus": 200 })),
        ("DELETE", "/v2/apps/large", &none),
        ("POST", "/v2/apps/large/restart", &none),
        ("PUT", "/v2/groups", &json!({ "scaleBy": 2 })),
    ] {
        let answer = marathon.ask(method, path, body);
        assert_eq!((answer.status, &answer.body["deployments"]), (409, &json!([{ "id": deployment }])), "{answer:?}");
        assert!(answer.body["message"].as_str().is_some_and(|message| message.contains("force=true")));
    }
    let forced = marathon.ask("DELETE", "/v2/apps/large?force=true", &none);
    assert_eq!(forced.status, 200);
    assert!(
        forced
            .head
            .contains(&format!("marathon-deployment-id: {}", forced.body["deploymentId"].as_str().expect("an id")))
    );
}
