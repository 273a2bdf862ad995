//! Older ways to say things mean what newer ones do.

use super::*;

#[test]
fn older_ways_mean_what_newer_ones_do() {
    let bridge = || json!([{"mode": "container/bridge"}]);
    for (older, newer) in [
        (
            json!({"uris": ["http://h/a.tgz", "/b"]}),
            json!({"fetch": [{"uri": "http://h/a.tgz"}, {"uri": "/b", "extract": false}]}),
        ),
        (json!({"ports": [0, 8080]}), json!({"portDefinitions": [{"port": 0}, {"port": 8080}]})),
        (
            json!({"ports": [8080], "portDefinitions": [{"port": 8080, "name": "a"}]}),
            json!({"portDefinitions": [{"port": 8080, "name": "a"}]}),
        ),
        (
            json!({"container": {"docker": {"image": "a", "network": "BRIDGE", "portMappings": [{"containerPort": 80}]}}}),
            json!({"networks": bridge(), "container": {"docker": {"image": "a"}, "portMappings": [{"containerPort": 80}]}}),
        ),
        (
            json!({"container": {"docker": {"image": "a", "network": "HOST", "portMappings": []}}}),
            json!({"container": {"docker": {"image": "a"}}}),
        ),
        (
            json!({"networks": bridge(), "ports": [7], "container": {"docker": {"image": "a", "network": "BRIDGE"},
                "portMappings": [{"containerPort": 80, "servicePort": 7}]}}),
            json!({"networks": bridge(), "container": {"docker": {"image": "a"},
                "portMappings": [{"containerPort": 80, "servicePort": 7}]}}),
        ),
        (
            json!({"ipAddress": {"networkName": "n", "groups": [], "labels": {"a": "b"},
                "discovery": {"ports": [{"number": 80, "name": "http", "protocol": "tcp"}]}},
                "container": {"docker": {"image": "a", "network": "USER"}}}),
            json!({"networks": [{"mode": "container", "name": "n", "labels": {"a": "b"}}],
                "container": {"docker": {"image": "a"}, "portMappings": [{"containerPort": 80, "name": "http"}]}}),
        ),
        (
            json!({"constraints": [{"fieldName": "rack", "operator": "MAX_PER", "value": 2}, {"field": "a", "operator": "UNIQUE"}]}),
            json!({"constraints": [["rack", "MAX_PER", "2"], ["a", "UNIQUE"]]}),
        ),
        (
            json!({"healthChecks": [{"protocol": "COMMAND", "command": "true", "ipProtocol": "IPv4"}]}),
            json!({"healthChecks": [{"protocol": "COMMAND", "command": {"value": "true"}}]}),
        ),
        (
            json!({"unreachableStrategy": {"unreachableInactiveAfterSeconds": 1, "unreachableExpungeAfterSeconds": 2}}),
            json!({"unreachableStrategy": {"inactiveAfterSeconds": 1, "expungeAfterSeconds": 2}}),
        ),
    ] {
        assert_eq!(is(body(older.clone())), is(body(newer)), "{older}");
    }
}

#[test]
fn an_older_way_may_not_say_something_else_than_a_newer_one() {
    let container =
        |docker: Value| json!({"docker": docker, "portMappings": [{"containerPort": 80, "servicePort": 7}]});
    for (fields, path) in [
        (json!({"uris": ["/a"], "fetch": [{"uri": "/b"}]}), "/uris"),
        (json!({"ports": [1], "portDefinitions": [{"port": 2}]}), "/ports"),
        (
            json!({"networks": [{"mode": "container/bridge"}], "ports": [1], "container": container(json!({"image": "a"}))}),
            "/ports",
        ),
        (
            json!({"networks": [{"mode": "container", "name": "n"}],
                "container": container(json!({"image": "a", "network": "BRIDGE"}))}),
            "/container/docker/network",
        ),
        (
            json!({"networks": [{"mode": "container/bridge"}],
                "container": container(json!({"image": "a", "portMappings": [{"containerPort": 81}]}))}),
            "/container/docker/portMappings",
        ),
        (
            json!({"networks": [{"mode": "container", "name": "n"}], "ipAddress": {"networkName": "m"},
                "container": {"docker": {"image": "a"}}}),
            "/ipAddress",
        ),
        (json!({"container": {"docker": {"image": "a", "network": "NONE"}}}), "/container/docker/network"),
        (json!({"ipAddress": {"networkName": "n", "groups": ["g"]}}), "/ipAddress/groups"),
    ] {
        refused(&body(fields), path, "");
    }
}
