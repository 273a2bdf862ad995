//! Containers of pods.

use orch_core::object::{Deployment, Pod};
use serde_json::{Value, json};

use super::{assert_each_is_refused, assert_each_within_is_refused, deployment, pod, problems_of, set};

#[test]
fn a_bad_container_is_refused() {
    let cases = [
        ("/spec/containers", json!([]), "spec.containers", "must hold at least one"),
        ("/spec/containers/0/name", json!("side"), "spec.containers[1].name", "must differ"),
    ];
    assert_each_is_refused::<Pod>(&pod(), &cases);
    let twice = json!([{"containerPort": 1, "hostPort": 9}, {"containerPort": 2, "hostPort": 9}]);
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/containers/0", "spec.containers[0]"),
        vec![
            ("/name", json!("A_b"), ".name", "must be a DNS label"),
            ("/image", json!(null), ".image", "must be given, unless command is"),
            ("/image", json!(" web"), ".image", "must not begin or end with white space"),
            ("/args", json!(["a\0"]), ".args[0]", "must not contain a NUL"),
            ("/ports/0/containerPort", json!(0), ".ports[0].containerPort", "must be from 1 to 65535, got 0"),
            ("/ports/0/hostPort", json!(65536), ".ports[0].hostPort", "must be from 1 to 65535"),
            ("/ports/0/hostIP", json!("here"), ".ports[0].hostIP", "must be an IP address"),
            ("/ports/0/name", json!("80"), ".ports[0].name", "must be at most 15"),
            ("/ports/0/name", json!("admin"), ".ports[1].name", "must differ"),
            ("/ports", twice, ".ports[1].hostPort", "must differ"),
            ("/resources/requests", json!({"cpu": "-1"}), ".resources.requests[\"cpu\"]", "must not be negative"),
            ("/resources/limits", json!({"a b": "1"}), ".resources.limits[\"a b\"]", "must be a name"),
            (
                "/resources",
                json!({"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
                ".resources.requests[\"cpu\"]",
                "must be at most the limit of 1, got 2",
            ),
        ],
    );
}

#[test]
fn a_bad_environment_variable_is_refused() {
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/containers/0/env", "spec.containers[0].env[0]"),
        vec![
            ("", json!([{"name": "A=B"}]), ".name", "must be one or more printable"),
            ("", json!([{"name": ""}]), ".name", "must be one or more printable"),
            ("", json!([{"name": "A", "value": "\0"}]), ".value", "must not contain a NUL"),
            ("", json!([{"name": "A", "valueFrom": {}}]), ".valueFrom", "must name its source"),
            (
                "",
                json!([{"name": "A", "value": "x", "valueFrom": field("metadata.name")}]),
                ".valueFrom",
                "must be left out when value is given",
            ),
            (
                "",
                json!([{"name": "A", "valueFrom": field("metadata.labels")}]),
                ".valueFrom.fieldRef.fieldPath",
                "must be one of metadata.name, ",
            ),
        ],
    );
    let mut good = pod();
    set(&mut good, "/spec/containers/0/env", json!([{"name": "A", "valueFrom": field("metadata.labels['app']")}]));
    assert_eq!(problems_of::<Pod>(good), "");
}

#[test]
fn a_bad_source_of_an_environment_variable_is_refused() {
    let from = |source: &str, value: Value| json!([{"name": "A", "valueFrom": {source: value}}]);
    let both = json!([{"name": "A", "valueFrom": {
        "configMapKeyRef": {"name": "a", "key": "b"}, "secretKeyRef": {"name": "a", "key": "b"},
    }}]);
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/containers/0/env", "spec.containers[0].env[0].valueFrom"),
        vec![
            (
                "",
                both,
                "",
                "must have exactly one of fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef, got 2",
            ),
            ("", from("configMapKeyRef", json!({"name": "A", "key": "b"})), ".configMapKeyRef.name", "must be a DNS"),
            ("", from("configMapKeyRef", json!({"name": "a", "key": ".."})), ".configMapKeyRef.key", "must be at most"),
            (
                "",
                from("secretKeyRef", json!({"name": "", "key": "b"})),
                ".secretKeyRef.name",
                "must be a DNS subdomain",
            ),
            ("", from("secretKeyRef", json!({"name": "a", "key": "b/c"})), ".secretKeyRef.key", "must be at most 253"),
            (
                "",
                from("resourceFieldRef", json!({"resource": "cpu"})),
                ".resourceFieldRef.resource",
                "must be one of lim",
            ),
            (
                "",
                from("resourceFieldRef", json!({"resource": "limits.cpu", "divisor": "-1"})),
                ".resourceFieldRef.divisor",
                "must not be negative",
            ),
        ],
    );
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/containers/0/envFrom", "spec.containers[0].envFrom[0]"),
        vec![
            ("", json!([{}]), "", "must have exactly one of configMapRef and secretRef"),
            ("", json!([{"prefix": "A=", "secretRef": {"name": "a"}}]), ".prefix", "must be one or more printable"),
            ("", json!([{"configMapRef": {"name": "a/b"}}]), ".configMapRef.name", "must be a DNS subdomain"),
            ("", json!([{"secretRef": {"name": "../a"}}]), ".secretRef.name", "must be a DNS subdomain"),
        ],
    );
}

#[test]
fn a_bad_probe_is_refused() {
    let header =
        |name: &str, value: &str| json!({"httpGet": {"port": "http", "httpHeaders": [{"name": name, "value": value}]}});
    let tcp = |field: &str, value: i32| json!({"tcpSocket": {"port": 80}, field: value});
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/containers/0/livenessProbe", "spec.containers[0].livenessProbe"),
        vec![
            ("", json!({}), "", "must have exactly one of exec, httpGet and tcpSocket, got 0"),
            ("", json!({"exec": {"command": ["x"]}, "tcpSocket": {"port": 80}}), "", "must have exactly one of"),
            ("", json!({"exec": {}}), ".exec.command", "must not be empty"),
            ("", json!({"httpGet": {"port": 0}}), ".httpGet.port", "must be from 1 to 65535"),
            ("", json!({"tcpSocket": {"port": "metrics"}}), ".tcpSocket.port", "must be a number or the name of"),
            ("", header("a b", "c"), ".httpGet.httpHeaders[0].name", "must be the name of an HTTP header"),
            ("", header("a", "c\r\nd: e"), ".httpGet.httpHeaders[0].value", "must not contain line breaks"),
            ("", tcp("initialDelaySeconds", -1), ".initialDelaySeconds", "must be at least 0"),
            ("", tcp("periodSeconds", 0), ".periodSeconds", "must be at least 1"),
            ("", tcp("timeoutSeconds", 0), ".timeoutSeconds", "must be at least 1"),
            ("", tcp("failureThreshold", 0), ".failureThreshold", "must be at least 1"),
            ("", tcp("successThreshold", 0), ".successThreshold", "must be at least 1"),
            ("", tcp("successThreshold", 2), ".successThreshold", "must be 1 for this probe"),
        ],
    );
    let grace = ("", tcp("terminationGracePeriodSeconds", 1), ".terminationGracePeriodSeconds", "must be left out");
    let readiness = ("/spec/containers/0/readinessProbe", "spec.containers[0].readinessProbe");
    assert_each_within_is_refused::<Pod>(&pod(), readiness, vec![grace]);
}

#[test]
fn a_bad_hook_is_refused() {
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/containers/0/lifecycle", "spec.containers[0].lifecycle"),
        vec![
            ("/preStop", json!({}), ".preStop", "must have exactly one of exec, httpGet, tcpSocket and sleep, got 0"),
            ("/preStop", json!({"sleep": {"seconds": 1}, "exec": {"command": ["a"]}}), ".preStop", "must have exactly"),
            ("/preStop", json!({"sleep": {"seconds": -1}}), ".preStop.sleep.seconds", "must be at least 0"),
            ("/postStart", json!({"exec": {}}), ".postStart.exec.command", "must not be empty"),
            (
                "/postStart",
                json!({"httpGet": {"port": "x"}}),
                ".postStart.httpGet.port",
                "must be a number or the name",
            ),
            ("/postStart", json!({"tcpSocket": {"port": 0}}), ".postStart.tcpSocket.port", "must be from 1 to 65535"),
        ],
    );
}

#[test]
fn a_bad_init_container_is_refused() {
    let init = |field: &str, value: Value| json!([{"name": "init", "image": "init:1", field: value}]);
    let probe = json!({"tcpSocket": {"port": 80}});
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/initContainers", "spec.initContainers[0]"),
        vec![
            ("", json!([{"name": "web", "image": "web:1"}]), ".name", "must differ from the other containers' names"),
            ("", json!([{"name": "A", "image": "web:1"}]), ".name", "must be a DNS label"),
            ("", json!([{"name": "init"}]), ".image", "must be given, unless command is"),
            ("", init("livenessProbe", probe.clone()), ".livenessProbe", "must be left out: an init container runs"),
            ("", init("readinessProbe", probe.clone()), ".readinessProbe", "must be left out"),
            ("", init("startupProbe", probe), ".startupProbe", "must be left out"),
            ("", init("lifecycle", json!({})), ".lifecycle", "must be left out"),
            (
                "",
                init("volumeMounts", json!([{"name": "a", "mountPath": "/a"}])),
                ".volumeMounts[0].name",
                "must be the",
            ),
        ],
    );
    let mut template = deployment();
    set(&mut template, "/spec/template/spec/initContainers", init("lifecycle", json!({})));
    let problems = problems_of::<Deployment>(template);
    assert!(problems.starts_with("spec.template.spec.initContainers[0].lifecycle: must be left out"), "{problems}");
    // A container that starts first and runs on is not known: its word is refused where it is written.
    let mut sidecar = pod();
    set(&mut sidecar, "/spec/initContainers", init("restartPolicy", json!("Always")));
    let error = serde_json::from_value::<Pod>(sidecar).expect_err("no such field").to_string();
    assert!(error.starts_with("unknown field `restartPolicy`, expected one of `name`, "), "{error}");
}

#[test]
fn a_bad_security_context_is_refused() {
    let capability = |name: &str| json!({"add": [name]});
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/containers/0/securityContext", "spec.containers[0].securityContext"),
        vec![
            ("/runAsUser", json!(-1), ".runAsUser", "must be from 0 to 2147483647, got -1"),
            ("/runAsGroup", json!(1_u64 << 31), ".runAsGroup", "must be from 0 to"),
            ("/capabilities", capability("CAP_KILL"), ".capabilities.add[0]", "must be the name of a capability"),
            ("/capabilities", capability("kill"), ".capabilities.add[0]", "must be the name of a capability"),
            ("/capabilities", json!({"drop": [""]}), ".capabilities.drop[0]", "must be the name of a capability"),
            (
                "",
                json!({"privileged": true, "allowPrivilegeEscalation": false}),
                ".allowPrivilegeEscalation",
                "must not be false when privileged",
            ),
            (
                "",
                json!({"capabilities": capability("SYS_ADMIN"), "allowPrivilegeEscalation": false}),
                ".allowPrivilegeEscalation",
                "must not be false when capabilities.add",
            ),
        ],
    );
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/securityContext", "spec.securityContext"),
        vec![
            ("/runAsUser", json!(-1), ".runAsUser", "must be from 0 to"),
            ("/runAsGroup", json!(-1), ".runAsGroup", "must be from 0 to"),
            ("/fsGroup", json!(-1), ".fsGroup", "must be from 0 to"),
            ("/supplementalGroups", json!([1, -1]), ".supplementalGroups[1]", "must be from 0 to"),
        ],
    );
}
