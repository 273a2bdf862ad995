//! The client `marathon`, with a Marathon of ours.

use serde_json::json;

use crate::Scenario;
use crate::cluster::{Cluster, eventually};
use crate::library::{Library, block_on};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("asks_for_everything_that_it_can_and_understands_all_that_happens", tour),
    ("is_refused_with_errors_that_it_knows", refused),
    ("finds_its_apps_again_when_the_leader_abdicates", leader),
];

/// What the client can ask for, but for callbacks, which are not there, and for the end of a leader, which comes last.
const METHODS: [&str; 32] = [
    "create_app",
    "create_group",
    "delete_app",
    "delete_deployment",
    "delete_group",
    "event_stream",
    "get_app",
    "get_group",
    "get_info",
    "get_leader",
    "get_metrics",
    "get_version",
    "kill_given_tasks",
    "kill_task",
    "kill_tasks",
    "list_apps",
    "list_deployments",
    "list_endpoints",
    "list_groups",
    "list_queue",
    "list_tasks",
    "list_versions",
    "ping",
    "reset_delay",
    "restart_app",
    "rollback_app",
    "rollback_group",
    "scale_app",
    "scale_group",
    "update_app",
    "update_apps",
    "update_group",
];

async fn marathon(name: &str) -> (Cluster, String) {
    let mut cluster = Cluster::of(name, 2).await;
    let address = cluster.address(201).to_string();
    let flags = [
        format!("--http_address={address}"),
        format!("--master={}", cluster.master(1)),
        format!("--store=embedded:{}", cluster.folder().join("store").display()),
        "--decline_offer_duration=200ms".to_owned(),
    ];
    let flags: Vec<&str> = std::iter::once("marathon").chain(flags.iter().map(String::as_str)).collect();
    cluster.start("marathon", &flags);
    let address = format!("{address}:8080");
    let leads = async || (cluster.get(&address, "/v2/info").await["elected"] == json!(true)).then_some(());
    eventually("marathon", leads).await;
    // Nobody is at the first: the client goes on to the next one.
    let nobody = format!("http://{}:8080", cluster.address(250));
    (cluster, format!("{nobody},http://{address}"))
}

fn tour(library: &Library) {
    let (cluster, urls) = block_on(marathon("tour"));
    let file = cluster.folder().join("fetched");
    std::fs::write(&file, "what is fetched").expect("a file");
    let said = library.run("marathon_client.py", &["tour", &urls, &file.display().to_string()]);
    assert_eq!(said.event("called")["methods"], json!(METHODS));
    let kinds = said.event("events")["kinds"].to_string();
    for kind in [
        "api_post_event",
        "app_terminated_event",
        "deployment_failed",
        "deployment_info",
        "deployment_step_success",
        "deployment_success",
        "event_stream_attached",
        "group_change_success",
        "health_status_changed_event",
        "instance_changed_event",
        "status_update_event",
    ] {
        assert!(kinds.contains(kind), "no {kind} in {kinds}");
    }
}

fn refused(library: &Library) {
    let (_cluster, urls) = block_on(marathon("refused"));
    let said = library.run("marathon_client.py", &["refused", &urls]);
    let details = said.event("refused")["details"].as_array().expect("a list");
    assert_eq!(details[0]["path"], "/constraints(0)");
    assert!(details[0]["errors"][0].as_str().is_some_and(|error| error.contains("NEAR")), "{details:?}");
}

fn leader(library: &Library) {
    let (_cluster, urls) = block_on(marathon("leader"));
    let said = library.run("marathon_client.py", &["leader", &urls]);
    assert!(said.event("called")["methods"].to_string().contains("delete_leader"));
}
