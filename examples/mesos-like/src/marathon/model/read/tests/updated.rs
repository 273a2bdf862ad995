//! Apps of which some fields are replaced.

use super::*;
use crate::marathon::model::{Version, VersionInfo};

fn web() -> App {
    let fields =
        json!({"instances": 2, "cpus": 0.5, "labels": {"a": "b"}, "portDefinitions": [{"port": 80, "name": "http"}]});
    let version_info = VersionInfo { last_scaling_at: Version(4), last_config_change_at: Version(3) };
    App { version: Version(5), version_info, ..is(body(fields)) }
}

fn updated(fields: Value) -> App {
    update(&web(), fields.clone()).unwrap_or_else(|error| panic!("{fields}: {error}"))
}

#[test]
fn a_field_is_replaced_as_a_whole_and_the_others_stay() {
    assert_eq!(updated(json!({})), web());
    assert_eq!(updated(json!({"instances": 5, "id": "/shop/web"})), App { instances: 5, ..web() });
    let labels = updated(json!({"labels": {"c": "d"}})).labels;
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), [("c".to_owned(), "d".to_owned())]);
    assert_eq!(updated(json!({"version": "2026-01-02T03:04:05.678Z"})), web(), "what only answers say is no change");
}

#[test]
fn null_sets_a_field_back() {
    let app = updated(json!({"cpus": null, "labels": null, "portDefinitions": null, "fetch": null}));
    let ports = app.port_definitions.expect("it is in the agent's network");
    assert_eq!((app.cpus, app.labels.len(), ports[0].name.as_deref()), (1.0, 0, Some("default")));
    let app = updated(json!({"cmd": null, "args": ["/bin/true"]}));
    assert_eq!((app.cmd, app.args), (None, Some(vec!["/bin/true".to_owned()])));
}

#[test]
fn ports_follow_the_network() {
    let container = json!({"docker": {"image": "a"}, "portMappings": [{"containerPort": 80}]});
    for networks in [json!({"networks": [{"mode": "container/bridge"}], "container": container.clone()}), {
        let mut older = json!({"container": container.clone()});
        older["container"]["docker"]["network"] = "BRIDGE".into();
        older
    }] {
        let app = updated(networks);
        assert_eq!((app.port_definitions.clone(), app.service_ports()), (None, vec![0]));
        let back = update(&app, json!({"networks": null, "container": {"docker": {"image": "a"}}})).expect("an app");
        assert_eq!(back.port_definitions.map(|ports| ports.len()), Some(1));
    }
}

#[test]
fn what_comes_out_is_held_to_the_same_rules() {
    for (fields, path) in [
        (json!({"cpus": -1}), "/cpus"),
        (json!({"args": ["a"]}), "/args"),
        (json!({"cmd": null}), "/"),
        (json!({"id": "/shop/db"}), "/id"),
        (json!({"healthChecks": [{"portIndex": 1}]}), "/healthChecks(0)/portIndex"),
        (json!({"instanses": 1}), "/instanses"),
        (json!({"residency": {}}), "/residency"),
    ] {
        let (paths, text) = wrong(update(&web(), fields.clone()));
        assert_eq!(paths, [path], "{fields}: {text}");
    }
    assert!(matches!(update(&web(), json!([])), Err(ReadError::Malformed(_))));
}

#[test]
fn what_is_reserved_for_instances_with_disks_stays() {
    let volumes = |size: u32| json!({"volumes": [{"containerPath": "data", "persistent": {"size": size}}]});
    let app = is(body(json!({"container": volumes(10)})));
    assert!(update(&app, json!({"cmd": "true", "instances": 3, "container": volumes(10)})).is_ok());
    let (paths, text) = wrong(update(&app, json!({"mem": 64, "container": volumes(20)})));
    assert!(paths == ["/mem", "/container/volumes"] && text.contains("reserved"), "{text}");
}
