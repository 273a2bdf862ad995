//! Apps that are right.

use super::*;
use crate::marathon::model::{ContainerKind, KillSelection, NetworkMode, Operator, TaskLost, Unreachable};

#[test]
fn what_is_not_said_is_as_in_marathon() {
    let app = is(json!({"id": "web", "cmd": "sleep 1"}));
    assert_eq!((app.id.as_str(), app.instances, app.cpus, app.mem, app.disk), ("/web", 1, 1.0, 128.0, 0.0));
    assert_eq!((app.backoff_seconds, app.backoff_factor, app.max_launch_delay_seconds), (1.0, 1.15, 300.0));
    assert_eq!((app.task_kill_grace_period_seconds, app.kill_selection), (3, KillSelection::YoungestFirst));
    assert_eq!(app.unreachable_strategy, Unreachable::default());
    let ports = app.port_definitions.as_deref().unwrap_or_default();
    assert_eq!(ports.iter().map(|port| (port.port, port.name.as_deref())).collect::<Vec<_>>(), [(0, Some("default"))]);
}

#[test]
fn an_app_may_have_no_ports() {
    for none in [json!({"portDefinitions": []}), json!({"ports": []}), json!({"ports": [], "portDefinitions": []})] {
        assert_eq!(is(body(none)).port_definitions, Some(Vec::new()));
    }
    let own = is(body(json!({"networks": [{"mode": "container/bridge"}], "container": {"docker": {"image": "a"}}})));
    assert_eq!(own.port_definitions, None);
}

#[test]
fn an_id_may_be_known_before() {
    let (shop, web) = ("/shop".parse().expect("an id"), "/shop/web".parse().expect("an id"));
    let id = |body: Value, known| app(body, &shop, known).map(|app| app.id);
    assert_eq!(id(json!({"cmd": "a"}), Some(&web)), Ok(web.clone()));
    assert_eq!(id(json!({"id": "web", "cmd": "a"}), Some(&web)), Ok(web.clone()));
    assert_eq!(id(json!({"id": "/shop/web", "cmd": "a"}), None), Ok(web.clone()));
    let (paths, text) = wrong(id(json!({"id": "db", "cmd": "a"}), Some(&web)));
    assert!(paths == ["/id"] && text.contains("/shop/web"), "{text}");
    assert_eq!(wrong(id(json!({"cmd": "a"}), None)).0, ["/id"]);
    let dependencies = app(json!({"id": "web", "cmd": "a", "dependencies": ["db", "../log"]}), &shop, None);
    let dependencies = dependencies.expect("an app").dependencies;
    assert_eq!(dependencies.iter().map(AppId::as_str).collect::<Vec<_>>(), ["/log", "/shop/db"]);
}

#[test]
fn instances_with_disks_are_waited_for() {
    let volumes = json!([{"containerPath": "data", "persistent": {"size": 100, "type": "root"}}]);
    let app = is(body(json!({"container": {"volumes": volumes}})));
    let residency = app.residency.expect("it has disks");
    assert_eq!(
        (residency.task_lost_behavior, residency.relaunch_escalation_timeout_seconds),
        (TaskLost::WaitForever, 3600)
    );
    assert!(matches!(app.unreachable_strategy, Unreachable::Disabled(_)));
    let strategy = app.upgrade_strategy;
    assert_eq!((strategy.minimum_health_capacity, strategy.maximum_over_capacity), (0.5, 0.0));
    let strategy = json!({"minimumHealthCapacity": 0.25});
    let said = is(body(json!({"container": {"volumes": volumes}, "upgradeStrategy": strategy}))).upgrade_strategy;
    assert_eq!((said.minimum_health_capacity, said.maximum_over_capacity), (0.25, 0.0));
}

#[test]
fn what_only_answers_say_and_what_says_nothing_is_left_out() {
    let plain = is(body(json!({})));
    let answered = json!({
        "version": "2026-01-02T03:04:05.678Z", "versionInfo": {"lastScalingAt": "x"}, "tasks": [{"id": "a"}],
        "tasksRunning": 1, "tasksStaged": 0, "tasksHealthy": 1, "tasksUnhealthy": 0, "deployments": [{"id": "x"}],
        "lastTaskFailure": {"state": "TASK_FAILED"}, "taskStats": {}, "readinessCheckResults": [],
    });
    // As the client `marathon` sends what it was not told.
    let nothing = json!({
        "acceptedResourceRoles": null, "args": null, "constraints": [], "container": null, "secrets": {}, "storeUrls": [],
        "taskRateLimit": null, "uris": [], "fetch": [], "networks": null, "residency": null, "tty": false,
        "healthChecks": [], "env": {}, "executor": "//cmd", "ipAddress": null, "dependencies": [], "role": null,
    });
    for fields in [answered, nothing] {
        assert_eq!(is(body(fields)), plain);
    }
}

#[test]
fn what_says_nothing_within_a_field_is_left_out_too() {
    // As the client `marathon` sends it.
    let health = json!([{"command": {"value": "true"}, "path": null, "portIndex": null, "protocol": "COMMAND", "timeoutSeconds": null}]);
    let docker = json!({"image": "a", "network": "BRIDGE", "parameters": [], "privileged": false, "forcePullImage": false,
        "portMappings": [{"containerPort": 80, "hostPort": 0, "labels": null, "name": null, "protocol": "tcp", "servicePort": null}]});
    let volume = json!({"containerPath": "/a", "external": null, "hostPath": "/b", "mode": "RO", "persistent": null});
    let unreachable = json!({"expungeAfterSeconds": 2, "inactiveAfterSeconds": 1, "unreachableExpungeAfterSeconds": null,
        "unreachableInactiveAfterSeconds": null});
    let app = is(json!({
        "id": "/y", "cmd": null, "healthChecks": health, "networks": null, "portDefinitions": [], "ports": [],
        "container": {"docker": docker, "type": "DOCKER", "volumes": [volume]}, "unreachableStrategy": unreachable,
        "constraints": [["hostname", "UNIQUE"], ["rack", "GROUP_BY", 3]],
    }));
    let container = app.container.as_ref().expect("it has one");
    assert_eq!(
        (container.port_mappings.len(), container.volumes.len(), app.health_checks[0].timeout_seconds),
        (1, 1, 20)
    );
    assert_eq!((app.networks[0].mode, app.port_definitions), (NetworkMode::Bridge, None));
}

#[test]
fn a_whole_app_is_read() {
    let app = is(json!({
        "id": "/shop/web", "args": ["-v"], "user": "nobody", "env": {"A": "b"}, "instances": 3.0, "cpus": 0.5,
        "container": {
            "type": "DOCKER", "docker": {"image": "nginx", "forcePullImage": true, "parameters": [{"key": "env", "value": "A=b"}]},
            "portMappings": [{"containerPort": 80, "protocol": "udp,tcp", "name": "http", "labels": {"VIP_0": "/web:80"}}],
            "volumes": [{"containerPath": "/data", "hostPath": "/srv", "mode": "RO"}],
        },
        "networks": [{"mode": "container/bridge"}],
        "constraints": [["hostname", "UNIQUE"], ["rack", "GROUP_BY", 3], ["@zone", "LIKE", "eu-.*"], ["gpu", "IS", 2]],
        "healthChecks": [{"protocol": "MESOS_HTTP", "path": "/health", "ignoreHttp1xx": true}],
        "readinessChecks": [{"portName": "http", "httpStatusCodesForReady": [200, 204]}],
        "fetch": [{"uri": "http://h/a.zip", "executable": true, "destPath": "b"}],
        "acceptedResourceRoles": ["*", "web"], "role": "web", "killSelection": "OLDEST_FIRST",
        "unreachableStrategy": {"inactiveAfterSeconds": 60, "expungeAfterSeconds": 120},
        "upgradeStrategy": {"minimumHealthCapacity": 0.5}, "dependencies": ["/db"], "labels": {"team": "a"},
    }));
    let container = app.container.as_ref().expect("it has one");
    assert_eq!((app.instances, container.kind, app.networks[0].mode), (3, ContainerKind::Docker, NetworkMode::Bridge));
    assert_eq!((container.port_mappings[0].host_port, app.health_checks[0].port_index), (Some(0), Some(0)));
    let constraint = &app.constraints[1];
    assert_eq!((constraint.operator, constraint.value.as_deref()), (Operator::GroupBy, Some("3")));
    assert_eq!(app.upgrade_strategy.maximum_over_capacity, 1.0);
}
