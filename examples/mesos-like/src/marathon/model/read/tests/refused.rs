//! What is wrong is refused, where it is, with the reason.

use super::*;

#[test]
fn what_is_no_object_is_something_else_altogether() {
    for body in [json!([]), json!("a"), json!(null), json!(1)] {
        assert!(matches!(read(body), Err(ReadError::Malformed(_))));
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_as_marathon_tells_it() {
    let app =
        json!({"id": "/Web", "cpus": "1", "mem": -1, "instances": 1.5, "healthChecks": [{"portIndex": 7}], "color": 1});
    let Err(ReadError::Invalid(invalid)) = read(app) else { panic!("it was taken") };
    let json = serde_json::to_value(&invalid).expect("JSON");
    assert_eq!(json["message"], "Object is not valid");
    let details = json["details"].as_array().cloned().unwrap_or_default();
    let paths: Vec<_> = details.iter().filter_map(|detail| detail["path"].as_str()).collect();
    assert_eq!(paths, ["/color", "/cpus", "/instances", "/id", "/", "/mem", "/healthChecks(0)/portIndex"]);
    assert!(details.iter().all(|detail| detail["errors"].as_array().is_some_and(|all| !all.is_empty())));
}

#[test]
fn nothing_follows_from_what_could_not_be_read() {
    for (fields, path) in [
        (json!({"cmd": 5}), "/cmd"),
        (
            json!({"container": {"docker": {"image": 1}}, "networks": [{"mode": "container/bridge"}]}),
            "/container/docker/image",
        ),
        (json!({"portDefinitions": [{"port": "a"}], "healthChecks": [{"portIndex": 3}]}), "/portDefinitions(0)/port"),
        (json!({"dependencies": ["/A", "/b"]}), "/dependencies(0)"),
    ] {
        let mut body = json!({"id": "/a", "cmd": "b"});
        fields.as_object().into_iter().flatten().for_each(|(name, value)| body[name] = value.clone());
        refused(&body, path, "");
    }
}

#[test]
fn a_field_that_has_another_form_is_refused() {
    for (fields, path, hint) in [
        (json!({"env": {"A": 1}}), "/env/A", "write \"1\""),
        (json!({"env": {"A": true}}), "/env/A", "write \"true\""),
        (json!({"env": {"A": {"secret": "x"}}}), "/env/A/secret", "no secrets"),
        (json!({"labels": {"a": {}}}), "/labels/a", "a text"),
        (json!({"instances": -1}), "/instances", "from 0"),
        (json!({"gpus": 0.5}), "/gpus", "whole"),
        (json!({"cmd": ["a"]}), "/cmd", "not a list"),
        (json!({"args": "a", "cmd": null}), "/args", "a list"),
        (json!({"killSelection": "ANY"}), "/killSelection", "YOUNGEST_FIRST"),
        (json!({"Instances": 1}), "/Instances", "`instances`"),
        (json!({"container": {"volume": []}}), "/container/volume", "no such field"),
        (json!({"portDefinitions": [{"port": 70000}]}), "/portDefinitions(0)/port", "65535"),
        (json!({"ports": [-1]}), "/ports(0)", "65535"),
        (json!({"portDefinitions": [{"protocol": "sctp"}]}), "/portDefinitions(0)/protocol", "tcp"),
        (json!({"fetch": [{}]}), "/fetch(0)/uri", "has to be there"),
        (json!({"fetch": [null]}), "/fetch(0)", "leave it out"),
        (json!({"unreachableStrategy": "never"}), "/unreachableStrategy", "disabled"),
        (json!({"taskKillGracePeriodSeconds": 1e12}), "/taskKillGracePeriodSeconds", "from 0"),
        (json!({"dependencies": ["/A b"]}), "/dependencies(0)", "no id"),
    ] {
        refused(&body(fields), path, hint);
    }
}

#[test]
fn what_there_is_not_is_refused_with_the_reason() {
    for (fields, path, hint) in [
        (json!({"secrets": {"a": {"source": "/b"}}}), "/secrets", "`env`"),
        (json!({"executor": "/bin/mine"}), "/executor", "own executor"),
        (json!({"storeUrls": ["http://a"]}), "/storeUrls", "`fetch`"),
        (json!({"taskRateLimit": 1}), "/taskRateLimit", "backoffSeconds"),
        (json!({"check": {"http": {}}}), "/check", "healthChecks"),
        (json!({"tty": true}), "/tty", "terminal"),
        (
            json!({"container": {"volumes": [{"containerPath": "a", "external": {"name": "b"}}]}}),
            "/container/volumes(0)/external",
            "external",
        ),
        (
            json!({"container": {"volumes": [{"containerPath": "a", "persistent": {"size": 1, "type": "mount"}}]}}),
            "/container/volumes(0)/persistent/type",
            "root",
        ),
        (json!({"readinessChecks": [{"protocol": "HTTPS"}]}), "/readinessChecks(0)/protocol", "HTTP"),
        (json!({"healthChecks": [{"protocol": "HTTPS"}]}), "/healthChecks(0)/protocol", "in the clear"),
        (json!({"healthChecks": [{}, {}]}), "/healthChecks", "one way"),
    ] {
        refused(&body(fields), path, hint);
    }
}

#[test]
fn something_has_to_be_run() {
    for (app, path, hint) in [
        (json!({"id": "a"}), "/", "`cmd`"),
        (json!({"id": "a", "container": {"volumes": []}}), "/", "image"),
        (json!({"id": "a", "cmd": "b", "args": ["c"]}), "/args", "leave one"),
        (json!({"id": "a", "cmd": " "}), "/cmd", "empty"),
        (json!({"id": "a", "args": [""]}), "/args(0)", "empty"),
        (json!({"id": "a", "cmd": "b\0"}), "/cmd", "NUL"),
        (json!({"id": "a", "cmd": "b", "env": {"A=B": "c"}}), "/env/A=B", "'='"),
        (json!({"id": "a", "cmd": "b", "user": ""}), "/user", "empty"),
        (json!({"id": "/", "cmd": "b"}), "/id", "group"),
        (
            json!({"id": format!("/{}", ["a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(60)].join("/")), "cmd": "b"}),
            "/id",
            "190",
        ),
        (json!({"id": "/a/b", "cmd": "c", "dependencies": ["/a/b"]}), "/dependencies", "part of it"),
        (json!({"id": "/a/b", "cmd": "c", "dependencies": ["/a"]}), "/dependencies", "part of it"),
    ] {
        refused(&app, path, hint);
    }
}

#[test]
fn numbers_are_in_their_ranges() {
    for (fields, path) in [
        (json!({"cpus": -0.1}), "/cpus"),
        (json!({"mem": 1e300}), "/mem"),
        (json!({"disk": -1}), "/disk"),
        (json!({"instances": 4_000_000_000_u32}), "/instances"),
        (json!({"backoffSeconds": -1}), "/backoffSeconds"),
        (json!({"backoffFactor": 0.99}), "/backoffFactor"),
        (json!({"maxLaunchDelaySeconds": 1e10}), "/maxLaunchDelaySeconds"),
        (json!({"upgradeStrategy": {"minimumHealthCapacity": 1.1}}), "/upgradeStrategy/minimumHealthCapacity"),
        (json!({"upgradeStrategy": {"maximumOverCapacity": -0.1}}), "/upgradeStrategy/maximumOverCapacity"),
        (
            json!({"unreachableStrategy": {"inactiveAfterSeconds": 5, "expungeAfterSeconds": 4}}),
            "/unreachableStrategy/inactiveAfterSeconds",
        ),
        (json!({"acceptedResourceRoles": ["a b"]}), "/acceptedResourceRoles(0)"),
        (json!({"role": "*"}), "/role"),
    ] {
        refused(&body(fields), path, "");
    }
}

#[test]
fn a_constraint_that_can_never_hold_is_refused() {
    for (constraints, index, hint) in [
        (json!([["a", "LIKE"]]), 0, "regular expression"),
        (json!([["a", "UNLIKE", "("]]), 0, "regular expression"),
        (json!([["a", "IS"]]), 0, "needs a value"),
        (json!([["a", "CLUSTER", ""]]), 0, "empty"),
        (json!([["a", "UNIQUE", "b"]]), 0, "no value"),
        (json!([["a", "MAX_PER"]]), 0, "needs a value"),
        (json!([["a", "MAX_PER", "0"]]), 0, "from 1"),
        (json!([["a", "MAX_PER", "many"]]), 0, "from 1"),
        (json!([["a", "GROUP_BY", "x"]]), 0, "from 1"),
        (json!([["", "UNIQUE"]]), 0, "field"),
        (json!([["a"]]), 0, "operator"),
        (json!([["a", "NEAR", "b"]]), 0, "UNIQUE"),
        (json!([["a", "UNIQUE"], ["a", "UNIQUE", "b", "c"]]), 1, "list"),
        (json!([["a", "IS", "1"], ["b", "IS", "2"], ["a", "IS", "2"]]), 2, "both"),
        (json!([["hostname", "CLUSTER", "x"], ["@hostname", "IS", "y"]]), 1, "both"),
    ] {
        refused(&body(json!({"constraints": constraints})), &format!("/constraints({index})"), hint);
    }
    refused(&body(json!({"constraints": [{"operator": "UNIQUE"}]})), "/constraints(0)/field", "has to be there");
    is(body(json!({"constraints": [["a", "IS", "1"], ["a", "IS", "1.0"], ["zone", "IS", "b"], ["@zone", "IS", "c"]]})));
}

#[test]
fn ports_fit_their_network_and_are_unique() {
    let bridged = |mappings: Value| json!({"networks": [{"mode": "container/bridge"}], "container": {"docker": {"image": "a"}, "portMappings": mappings}});
    for (fields, path, hint) in [
        (json!({"portDefinitions": [{"port": 1}, {"port": 1}]}), "/portDefinitions(1)/port", "twice"),
        (json!({"portDefinitions": [{"name": "a"}, {"name": "a"}]}), "/portDefinitions(1)/name", "twice"),
        (json!({"portDefinitions": [{"name": "A b"}]}), "/portDefinitions(0)/name", "a-z"),
        (json!({"container": {"portMappings": [{"containerPort": 1}]}}), "/container/portMappings", "portDefinitions"),
        (
            bridged(json!([{"containerPort": 1, "hostPort": 5}, {"containerPort": 2, "hostPort": 5}])),
            "/container/portMappings(1)/hostPort",
            "twice",
        ),
        (
            bridged(json!([{"containerPort": 1}, {"containerPort": 1}])),
            "/container/portMappings(1)/containerPort",
            "twice",
        ),
        (
            json!({"networks": [{"mode": "container", "name": "n"}], "container": {"docker": {"image": "a"}, "portMappings": [{}]}}),
            "/container/portMappings(0)/containerPort",
            "hostPort",
        ),
        (
            json!({"networks": [{"mode": "container/bridge"}], "container": {"docker": {"image": "a"}}, "ports": [1]}),
            "/portDefinitions",
            "`ports`",
        ),
        (json!({"networks": [{"mode": "container/bridge"}]}), "/networks", "image"),
        (json!({"networks": [{"mode": "host"}, {"mode": "host"}]}), "/networks", "one network"),
        (json!({"networks": [{"mode": "host", "name": "n"}]}), "/networks(0)/name", "leave it out"),
        (json!({"networks": [{}], "container": {"docker": {"image": "a"}}}), "/networks(0)/name", "name one"),
    ] {
        refused(&body(fields), path, hint);
    }
    is(body(bridged(json!([{"containerPort": 1, "protocol": "udp"}, {"containerPort": 1, "protocol": "tcp"}]))));
}

#[test]
fn containers_and_volumes_can_be_made() {
    let volumes = |volumes: Value| json!({"container": {"volumes": volumes}});
    for (fields, path, hint) in [
        (json!({"container": {"type": "DOCKER"}}), "/container/docker", "image"),
        (json!({"container": {"docker": {"image": " "}}}), "/container/docker/image", "empty"),
        (
            json!({"container": {"docker": {"image": "a", "privileged": true}}}),
            "/container/docker/privileged",
            "DOCKER",
        ),
        (volumes(json!([{"containerPath": "a"}])), "/container/volumes(0)", "hostPath"),
        (volumes(json!([{"containerPath": "../a", "hostPath": "/b"}])), "/container/volumes(0)/containerPath", ".."),
        (volumes(json!([{"containerPath": "a", "hostPath": "b/../.."}])), "/container/volumes(0)/hostPath", ".."),
        (
            volumes(json!([{"containerPath": "a", "hostPath": "/b"}, {"containerPath": "a", "hostPath": "/c"}])),
            "/container/volumes(1)/containerPath",
            "twice",
        ),
        (
            volumes(json!([{"containerPath": "/a", "persistent": {"size": 1}}])),
            "/container/volumes(0)/containerPath",
            "'/'",
        ),
        (
            volumes(json!([{"containerPath": "a", "persistent": {"size": 0}}])),
            "/container/volumes(0)/persistent/size",
            "from 1",
        ),
        (volumes(json!([{"containerPath": "a", "persistent": {}}])), "/container/volumes(0)/persistent/size", "there"),
        (json!({"residency": {}}), "/residency", "persistent"),
    ] {
        refused(&body(fields), path, hint);
    }
    let mut resident = body(volumes(json!([{"containerPath": "a", "persistent": {"size": 1}}])));
    resident["unreachableStrategy"] = json!({"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0});
    refused(&resident, "/unreachableStrategy", "disabled");
}

#[test]
fn checks_can_be_made() {
    let health = |check: Value| json!({"healthChecks": [check]});
    for (fields, path, hint) in [
        (health(json!({"protocol": "COMMAND"})), "/healthChecks(0)/command", "needs it"),
        (health(json!({"protocol": "COMMAND", "command": " "})), "/healthChecks(0)/command", "empty"),
        (health(json!({"protocol": "COMMAND", "command": "a", "portIndex": 0})), "/healthChecks(0)/portIndex", "none"),
        (health(json!({"command": "a"})), "/healthChecks(0)/command", "COMMAND"),
        (health(json!({"portIndex": 1})), "/healthChecks(0)/portIndex", "1 ports"),
        (health(json!({"portIndex": 0, "port": 80})), "/healthChecks(0)/portIndex", "leave one"),
        (health(json!({"port": 0})), "/healthChecks(0)/port", "no port"),
        (health(json!({"protocol": "TCP", "path": "/"})), "/healthChecks(0)/path", "HTTP"),
        (health(json!({"path": "/a b"})), "/healthChecks(0)/path", "%20"),
        (health(json!({"intervalSeconds": 0})), "/healthChecks(0)/intervalSeconds", "1 or more"),
        (json!({"readinessChecks": [{}]}), "/readinessChecks(0)/portName", "http-api"),
        (
            json!({"readinessChecks": [{"portName": "default", "timeoutSeconds": 60}]}),
            "/readinessChecks(0)/timeoutSeconds",
            "intervalSeconds",
        ),
        (
            json!({"readinessChecks": [{"portName": "default", "httpStatusCodesForReady": [99]}]}),
            "/readinessChecks(0)/httpStatusCodesForReady",
            "599",
        ),
    ] {
        refused(&body(fields), path, hint);
    }
}
