//! Groups: what depends on something begins after it.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Marathon, Token, app, pass, until_run};

/// Waits until of each so many processes run.
async fn all_run(wanted: [(&Token, usize); 3]) {
    for (token, count) in wanted {
        until_run(token, count).await;
    }
}

#[tokio::test]
async fn what_depends_on_something_begins_when_that_works_and_all_end_with_their_group() {
    let marathon = Marathon::of("group", 2).await;
    let [db, api, web] = [Token::new(), Token::new(), Token::new()];
    let works = marathon.cluster.folder().join("db-works");
    let check = json!([{
        "protocol": "COMMAND", "command": { "value": format!("test -e {}", works.display()) }, "delaySeconds": 0,
        "intervalSeconds": 1, "gracePeriodSeconds": 300,
    }]);
    let group = json!({
        "id": "/shop",
        "groups": [
            { "id": "data", "apps": [app("db", &db, &json!({ "healthChecks": check }))] },
            {
                "id": "front", "dependencies": ["/shop/data"],
                "apps": [app("web", &web, &json!({ "dependencies": ["api"] })), app("api", &api, &json!({ "instances": 2 }))],
            },
        ],
    });
    let made = marathon.done("POST", "/v2/groups", &group);
    let deployment = marathon.get("/v2/deployments")[0].clone();
    assert_eq!(deployment["id"], made["deploymentId"]);
    let actions = |step: usize| deployment["steps"][step]["actions"].clone();
    assert_eq!(actions(0).as_array().map(Vec::len), Some(3), "all are begun first, without an instance: {deployment}");
    for (step, app) in [(1, "/shop/data/db"), (2, "/shop/front/api"), (3, "/shop/front/web")] {
        assert_eq!(actions(step), json!([{ "action": "ScaleApplication", "app": app }]));
    }
    until_run(&db, 1).await;
    pass(1_500).await;
    assert_eq!((api.processes().len(), web.processes().len()), (0, 0), "they wait");
    fs::write(&works, "").expect("a file");
    marathon.settled().await;
    all_run([(&db, 1), (&api, 2), (&web, 1)]).await;
    let started = |id: &str| -> Vec<String> {
        let tasks = marathon.tasks(id);
        tasks.iter().map(|task| task["startedAt"].as_str().expect("a time").to_owned()).collect()
    };
    assert!(started("shop/front/api").iter().all(|api| *api < started("shop/front/web")[0]));

    // Twice as many; and then what it was.
    let version = marathon.get("/v2/groups/shop")["version"].clone();
    marathon.done("PUT", "/v2/groups/shop", &json!({ "scaleBy": 2 }));
    marathon.settled().await;
    all_run([(&db, 2), (&api, 4), (&web, 2)]).await;
    let kept = api.processes();
    marathon.done("PUT", "/v2/groups/shop", &json!({ "version": version }));
    marathon.settled().await;
    all_run([(&db, 1), (&api, 2), (&web, 1)]).await;
    assert!(api.processes().iter().all(|pid| kept.contains(pid)), "nothing is begun anew");
    let circle = json!({ "dependencies": ["/shop/front/web"] });
    let refused = marathon.ask("PUT", "/v2/apps/shop/data/db", &circle);
    assert_eq!((refused.status, &refused.body["details"][0]["path"]), (422, &json!("/dependencies")), "{refused:?}");

    marathon.done("DELETE", "/v2/groups/shop", &Value::Null);
    marathon.settled().await;
    all_run([(&db, 0), (&api, 0), (&web, 0)]).await;
    assert_eq!(marathon.ask("GET", "/v2/groups/shop", &Value::Null).status, 404);
}
