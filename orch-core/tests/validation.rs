//! Every rule of validation, by a good object that one change makes bad.

use orch_core::encoding::Kinds;
use orch_core::kind::Object;
use orch_core::object::{
    ConfigMap, Deployment, EndpointSlice, Event, Lease, Namespace, Node, NodeMetrics, ObjectMeta, Pod, PodMetrics,
    ReplicaSet, Secret, Service, validate_metadata,
};
use orch_core::validation::Problems;
use serde_json::{Value, json};

/// A change of a good object: the pointer to the field, its new value, the path of the problem, and how it begins.
type Case<'a> = (&'a str, Value, &'a str, &'a str);

/// Checks that the good object has no problem, and that each change gives one at the path with the words.
fn assert_each_is_refused<T: Object>(good: &Value, cases: &[Case<'_>]) {
    assert_eq!(problems_of::<T>(good.clone()), "", "the object to change must be good");
    for (pointer, value, path, words) in cases {
        let mut bad = good.clone();
        set(&mut bad, pointer, value.clone());
        let (problems, wanted) = (problems_of::<T>(bad), format!("{path}: {words}"));
        assert!(problems.starts_with(&wanted), "{pointer} = {value}\n got: {problems}\nwant: {wanted}");
    }
}

fn problems_of<T: Object>(object: Value) -> String {
    let text = object.to_string();
    let object: T = serde_json::from_value(object).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut problems = Problems::default();
    object.validate(&mut problems);
    problems.into_result().err().map(|invalid| invalid.to_string()).unwrap_or_default()
}

/// Sets the value at a pointer, making the objects on the way.
fn set(mut at: &mut Value, pointer: &str, value: Value) {
    for part in pointer.split('/').skip(1) {
        at = match at {
            Value::Array(items) => &mut items[part.parse::<usize>().expect("an index")],
            other => &mut other[part],
        };
    }
    *at = value;
}

/// The cases with pointer and path in a common place, so that a table's rows can be short.
fn within<'a>(place: (&'a str, &'a str), rows: Vec<Case<'a>>) -> Vec<(String, Value, String, &'a str)> {
    let (pointer, path) = place;
    rows.into_iter().map(|(p, value, q, words)| (format!("{pointer}{p}"), value, format!("{path}{q}"), words)).collect()
}

fn assert_each_within_is_refused<T: Object>(good: &Value, place: (&str, &str), rows: Vec<Case<'_>>) {
    let rows = within(place, rows);
    let cases: Vec<Case<'_>> =
        rows.iter().map(|(p, value, q, words)| (p.as_str(), value.clone(), q.as_str(), *words)).collect();
    assert_each_is_refused::<T>(good, &cases);
}

fn pod_spec() -> Value {
    json!({"containers": [{
        "name": "web", "image": "web:1",
        "ports": [{"name": "http", "containerPort": 80}, {"name": "admin", "containerPort": 81}],
    }, {"name": "side", "command": ["side"]}]})
}

fn pod() -> Value {
    json!({"metadata": {"name": "web"}, "spec": pod_spec()})
}

fn deployment() -> Value {
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": pod_spec()});
    let spec = json!({"selector": {"matchLabels": {"app": "web"}}, "template": template});
    json!({"metadata": {"name": "web"}, "spec": spec})
}

fn service() -> Value {
    let ports = json!([{"name": "http", "port": 80}, {"name": "admin", "port": 81}]);
    json!({"metadata": {"name": "web"}, "spec": {"ports": ports}})
}

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
    let mut good = pod();
    set(&mut good, "/spec/containers/0/env", json!([{"name": "A", "valueFrom": field("metadata.labels['app']")}]));
    assert_eq!(problems_of::<Pod>(good), "");
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

#[test]
fn a_bad_volume_is_refused() {
    let item = |key: &str, path: &str| json!([{"name": "a", "configMap": {"name": "m", "items": [{"key": key, "path": path}]}}]);
    let host = |path: &str| json!([{"name": "a", "hostPath": {"path": path}}]);
    let secret = |field: &str, value: Value| json!([{"name": "a", "secret": {"secretName": "s", field: value}}]);
    let file = |file: Value| json!([{"name": "a", "downwardAPI": {"items": [file]}}]);
    let same = json!([{"key": "a", "path": "a/b"}, {"key": "b", "path": "a/b"}]);
    let (path, field) = (".configMap.items[0].path", ".downwardAPI.items[0]");
    let resource = format!("{field}.resourceFieldRef.containerName");
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/volumes", "spec.volumes[0]"),
        vec![
            ("", json!([{"name": "a"}]), "", "must have exactly one of emptyDir, hostPath, configMap, secret and"),
            ("", json!([{"name": "a", "emptyDir": {}, "hostPath": {"path": "/a"}}]), "", "must have exactly one of"),
            ("", json!([{"name": "../a", "emptyDir": {}}]), ".name", "must be a DNS label"),
            ("", json!([{"name": "a", "emptyDir": {"sizeLimit": -1}}]), ".emptyDir.sizeLimit", "must not be negative"),
            ("", host("a"), ".hostPath.path", "must be an absolute path"),
            ("", host(""), ".hostPath.path", "must be an absolute path"),
            ("", host("/a/../../etc"), ".hostPath.path", "must not contain \"..\""),
            ("", host("/a/.."), ".hostPath.path", "must not contain \"..\""),
            ("", host("/a\0"), ".hostPath.path", "must not contain a NUL"),
            ("", item("a", "/etc/passwd"), path, "must be a relative path"),
            ("", item("a", "../a"), path, "must not contain \"..\""),
            ("", item("a", "a/../../b"), path, "must not contain \"..\""),
            ("", item("a", "..data/a"), path, "must not begin with \"..\""),
            ("", item("a", ""), path, "must be names joined by"),
            ("", item("a", "./a"), path, "must be names joined by"),
            ("", item("a", "a/"), path, "must be names joined by"),
            ("", item("a", "a\0b"), path, "must not contain a NUL"),
            ("", item("a", &"a".repeat(4097)), path, "must have at most 4096 bytes"),
            ("", item("../a", "a"), ".configMap.items[0].key", "must be at most 253"),
            ("", secret("items", same), ".secret.items[1].path", "must differ from the other items' paths"),
            ("", secret("secretName", json!("a/b")), ".secret.secretName", "must be a DNS subdomain"),
            ("", secret("defaultMode", json!(0o4755)), ".secret.defaultMode", "must be from 0 to 511"),
            (
                "",
                secret("items", json!([{"key": "a", "path": "a", "mode": -1}])),
                ".secret.items[0].mode",
                "must be from",
            ),
            ("", file(json!({"path": "a"})), field, "must have exactly one of fieldRef and resourceFieldRef"),
            (
                "",
                file(json!({"path": "a", "resourceFieldRef": {"resource": "limits.cpu"}})),
                &resource,
                "must be given",
            ),
        ],
    );
    let mut twice = pod();
    set(&mut twice, "/spec/volumes", json!([{"name": "a", "emptyDir": {}}, {"name": "a", "emptyDir": {}}]));
    assert!(problems_of::<Pod>(twice).starts_with("spec.volumes[1].name: must differ"));
    let mut labels = pod();
    let all_labels = file(json!({"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}));
    set(&mut labels, "/spec/volumes", all_labels);
    assert_eq!(problems_of::<Pod>(labels), "");
}

#[test]
fn a_bad_mount_is_refused() {
    let mut good = pod();
    set(&mut good, "/spec/volumes", json!([{"name": "a", "emptyDir": {}}]));
    set(&mut good, "/spec/containers/0/volumeMounts", json!([{"name": "a", "mountPath": "/a", "subPath": "b/c"}]));
    let at = |path: &str| json!([{"name": "a", "mountPath": path}]);
    let sub = |path: &str| json!([{"name": "a", "mountPath": "/a", "subPath": path}]);
    let same = json!([{"name": "a", "mountPath": "/b"}, {"name": "a", "mountPath": "//b/./"}]);
    assert_each_within_is_refused::<Pod>(
        &good,
        ("/spec/containers/0/volumeMounts", "spec.containers[0].volumeMounts"),
        vec![
            ("", json!([{"name": "b", "mountPath": "/b"}]), "[0].name", "must be the name of one of the pod's volumes"),
            ("", at("b"), "[0].mountPath", "must be an absolute path"),
            ("", at("/"), "[0].mountPath", "must not be the root"),
            ("", at("/b:/etc"), "[0].mountPath", "must not contain ':'"),
            ("", at("/b/../etc"), "[0].mountPath", "must not contain \"..\""),
            ("", sub("/etc"), "[0].subPath", "must be a relative path"),
            ("", sub("../../etc"), "[0].subPath", "must not contain \"..\""),
            ("", sub("b/.."), "[0].subPath", "must not contain \"..\""),
            ("", same, "[1].mountPath", "must differ from the container's other mounts"),
        ],
    );
    let ports =
        ("/spec/containers/0/ports/0/hostPort", json!(81), "spec.containers[0].ports[0].hostPort", "must be the");
    set(&mut good, "/spec/hostNetwork", json!(true));
    assert_each_is_refused::<Pod>(&good, &[ports]);
    let path =
        ("/spec/containers/0/terminationMessagePath", json!("a"), "spec.containers[0].terminationMessagePath", "");
    assert_each_is_refused::<Pod>(&good, &[(path.0, path.1, path.2, "must be an absolute path")]);
}

#[test]
fn a_bad_config_map_or_secret_is_refused() {
    let long = "k".repeat(254);
    let long_path = format!("data[\"{long}\"]");
    let large = "x".repeat(1024 * 1024 + 1);
    let map = json!({"metadata": {"name": "m"}, "data": {"a.b_C-1": "x", ".env": "x"}});
    assert_each_is_refused::<ConfigMap>(
        &map,
        &[
            ("/data", json!({"": "x"}), "data[\"\"]", "must be at most 253 of"),
            ("/data", json!({".": "x"}), "data[\".\"]", "must be at most 253 of"),
            ("/data", json!({"..": "x"}), "data[\"..\"]", "must be at most 253 of"),
            ("/data", json!({"..data": "x"}), "data[\"..data\"]", "must be at most 253 of"),
            ("/data", json!({"a/b": "x"}), "data[\"a/b\"]", "must be at most 253 of"),
            ("/data", json!({(&long): "x"}), &long_path, "must be at most 253 of"),
            ("/data", json!({"a": large}), "data", "must have values of at most 1048576 bytes together, got 1048577"),
            ("/binaryData", json!({"a b": "eA=="}), "binaryData[\"a b\"]", "must be at most 253 of"),
            ("/binaryData", json!({".env": "eA=="}), "binaryData[\".env\"]", "must differ from the keys of data"),
        ],
    );
    assert_each_is_refused::<Secret>(
        &json!({"metadata": {"name": "s"}, "data": {"a": "eA=="}, "stringData": {"a": "y"}}),
        &[
            ("/data", json!({"a/b": "eA=="}), "data[\"a/b\"]", "must be at most 253 of"),
            ("/stringData", json!({"..": "x"}), "stringData[\"..\"]", "must be at most 253 of"),
            ("/stringData", json!({"b": large}), "data", "must have values of at most 1048576 bytes together"),
        ],
    );
}

/// What is refused may be a secret that somebody forgot to encode.
#[test]
fn a_secret_that_is_no_base64_is_refused_with_its_place_and_without_its_value() {
    let json = r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"password": "hunter2!"}}"#;
    let yaml = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  password: hunter2!\n";
    let from_json = orch_core::encoding::from_json::<Secret>(json.as_bytes()).expect_err("no base64").to_string();
    let from_yaml = Kinds::default().with::<Secret>().read(yaml).expect_err("no base64").to_string();
    for error in [from_json, from_yaml] {
        assert!(error.contains("data") && error.contains("must be base64"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_bad_place_for_a_pod_is_refused() {
    let toleration = |toleration: Value| json!([toleration]);
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec", "spec"),
        vec![
            ("/nodeSelector", json!({"a": "b c"}), ".nodeSelector[\"a\"]", "must be empty or at most 63"),
            ("/nodeName", json!("a/b"), ".nodeName", "must be a DNS subdomain"),
            ("/priorityClassName", json!("a/b"), ".priorityClassName", "must be a DNS subdomain"),
            ("/hostname", json!("a.b"), ".hostname", "must be a DNS label"),
            ("/terminationGracePeriodSeconds", json!(-1), ".terminationGracePeriodSeconds", "must be at least 0"),
            ("/activeDeadlineSeconds", json!(0), ".activeDeadlineSeconds", "must be at least 1"),
            ("/tolerations", toleration(json!({})), ".tolerations[0].key", "must be given unless"),
            (
                "/tolerations",
                toleration(json!({"key": "a", "operator": "Exists", "value": "b"})),
                ".tolerations[0].value",
                "must be left out when the operator is Exists",
            ),
            (
                "/tolerations",
                toleration(json!({"key": "a", "tolerationSeconds": 1})),
                ".tolerations[0].tolerationSeconds",
                "must be left out unless the effect is NoExecute",
            ),
        ],
    );
}

#[test]
fn a_bad_node_affinity_is_refused() {
    let required = "/requiredDuringSchedulingIgnoredDuringExecution";
    let terms = ".requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
    let (values, fields) = (format!("{terms}[0].matchExpressions[0].values"), format!("{terms}[0].matchFields[0]"));
    let (field_key, field_operator) = (format!("{fields}.key"), format!("{fields}.operator"));
    let label = |operator: &str, values: Value| {
        let requirement = json!({"key": "a", "operator": operator, "values": values});
        json!({"nodeSelectorTerms": [{"matchExpressions": [requirement]}]})
    };
    let field = |key: &str, operator: &str| {
        let requirement = json!({"key": key, "operator": operator, "values": ["n"]});
        json!({"nodeSelectorTerms": [{"matchFields": [requirement]}]})
    };
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/affinity/nodeAffinity", "spec.affinity.nodeAffinity"),
        vec![
            (required, json!({"nodeSelectorTerms": []}), terms, "must hold at least one term"),
            (required, label("In", json!([])), &values, "must hold at least one value for the operator In"),
            (required, label("Exists", json!(["b"])), &values, "must be left out for the operator Exists"),
            (required, label("Gt", json!(["many"])), &values, "must hold exactly one whole number, in quotes,"),
            (required, label("Lt", json!(["1", "2"])), &values, "must hold exactly one whole number, in quotes,"),
            (required, field("spec.x", "In"), &field_key, "must be metadata.name"),
            (required, field("metadata.name", "Exists"), &field_operator, "must be In or NotIn"),
            (
                "/preferredDuringSchedulingIgnoredDuringExecution",
                json!([{"weight": 0, "preference": {}}]),
                ".preferredDuringSchedulingIgnoredDuringExecution[0].weight",
                "must be from 1 to 100, got 0",
            ),
        ],
    );
}

#[test]
fn a_bad_deployment_is_refused() {
    let labels = ".template.metadata.labels";
    let expression = |key: &str, operator: &str| json!([{"key": key, "operator": operator, "values": ["a", "b"]}]);
    let template = ".template.spec";
    let deadline = format!("{template}.activeDeadlineSeconds");
    let policy = format!("{template}.restartPolicy");
    let rolling = "/strategy/rollingUpdate";
    let (surge, missing) = (".strategy.rollingUpdate.maxSurge", ".strategy.rollingUpdate.maxUnavailable");
    let recreate = json!({"type": "Recreate", "rollingUpdate": {}});
    assert_each_within_is_refused::<Deployment>(
        &deployment(),
        ("/spec", "spec"),
        vec![
            ("/replicas", json!(-1), ".replicas", "must be at least 0, got -1"),
            ("/selector", json!({}), ".selector", "must not be empty"),
            ("/template/metadata/labels/app", json!("api"), labels, "must have the label app: web, as spec.selector"),
            ("/template/metadata/labels", json!({}), labels, "must have the label app: web"),
            ("/selector/matchExpressions", expression("tier", "In"), labels, "must meet tier In [a, b]"),
            (
                "/selector/matchExpressions",
                expression("app", "Exists"),
                ".selector.matchExpressions[0].values",
                "must be left out for the operator Exists",
            ),
            ("/template/spec/restartPolicy", json!("Never"), &policy, "must be Always in a template, got Never"),
            ("/template/spec/activeDeadlineSeconds", json!(5), &deadline, "must be left out of a template"),
            (rolling, json!({"maxSurge": 0, "maxUnavailable": "0%"}), missing, "must not be 0 when maxSurge is 0"),
            (rolling, json!({"maxSurge": "lots"}), surge, "must be a number or a percentage"),
            (rolling, json!({"maxUnavailable": -1}), missing, "must be at least 0"),
            (rolling, json!({"maxUnavailable": "101%"}), missing, "must be at most 100%"),
            ("/strategy", recreate, ".strategy.rollingUpdate", "must be left out when the type is Recreate"),
            ("/progressDeadlineSeconds", json!(0), ".progressDeadlineSeconds", "must be more than minReadySeconds"),
            ("/revisionHistoryLimit", json!(-1), ".revisionHistoryLimit", "must be at least 0"),
        ],
    );
    let rows = vec![
        ("/minReadySeconds", json!(-1), ".minReadySeconds", "must be at least 0"),
        ("/selector", json!({}), ".selector", "must not be empty"),
    ];
    assert_each_within_is_refused::<ReplicaSet>(&deployment(), ("/spec", "spec"), rows);
}

#[test]
fn a_bad_service_is_refused() {
    let cases = [("/metadata/name", json!("a.b"), "metadata.name", "must be a DNS label")];
    assert_each_is_refused::<Service>(&service(), &cases);
    assert_each_within_is_refused::<Service>(
        &service(),
        ("/spec", "spec"),
        vec![
            ("/ports", json!([]), ".ports", "must hold at least one port"),
            ("/ports/0/port", json!(0), ".ports[0].port", "must be from 1 to 65535"),
            ("/ports/0/port", json!(81), ".ports[1].port", "must differ"),
            ("/ports/0/name", json!("admin"), ".ports[1].name", "must differ"),
            ("/ports/0/name", json!(null), ".ports[0].name", "must be given when there are several ports"),
            ("/ports/0/targetPort", json!("a--b"), ".ports[0].targetPort", "must be at most 15"),
            ("/ports/0/nodePort", json!(30000), ".ports[0].nodePort", "must be left out unless the type is NodePort"),
            ("/clusterIP", json!("10.0.0"), ".clusterIP", "must be an IP address, or None"),
            ("/clusterIPs", json!(["10.0.0.1"]), ".clusterIPs", "must begin with clusterIP"),
            ("/selector", json!({"-": ""}), ".selector[\"-\"]", "must be a name such as"),
            ("/externalTrafficPolicy", json!("Local"), ".externalTrafficPolicy", "must be left out unless"),
            ("/sessionAffinityConfig", json!({}), ".sessionAffinityConfig", "must be left out unless"),
        ],
    );
    let mut sticky = service();
    set(&mut sticky, "/spec/sessionAffinity", json!("ClientIP"));
    let config = json!({"clientIP": {"timeoutSeconds": 0}});
    let path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
    assert_each_is_refused::<Service>(&sticky, &[("/spec/sessionAffinityConfig", config, path, "must be from 1 to")]);
    let mut open = service();
    set(&mut open, "/spec/type", json!("NodePort"));
    set(&mut open, "/spec/ports/0/nodePort", json!(30000));
    let cases = [
        ("/spec/ports/1/nodePort", json!(30000), "spec.ports[1].nodePort", "must differ"),
        ("/spec/clusterIP", json!("None"), "spec.clusterIP", "must not be None when the type is NodePort"),
    ];
    assert_each_is_refused::<Service>(&open, &cases);
}

#[test]
fn a_bad_endpoint_slice_is_refused() {
    let slice = json!({
        "metadata": {"name": "web-1"}, "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.0.1"]}], "ports": [{"name": "http", "port": 80}],
    });
    let many = json!(vec![json!({"addresses": ["10.1.0.1"]}); 1001]);
    assert_each_is_refused::<EndpointSlice>(
        &slice,
        &[
            ("/endpoints", many, "endpoints", "must hold at most 1000"),
            ("/endpoints/0/addresses", json!([]), "endpoints[0].addresses", "must hold 1 to 100"),
            ("/endpoints/0/addresses/0", json!("::1"), "endpoints[0].addresses[0]", "must be an IPv4 address"),
            ("/addressType", json!("IPv6"), "endpoints[0].addresses[0]", "must be an IPv6 address"),
            ("/ports/0/port", json!(0), "ports[0].port", "must be from 1 to 65535"),
            ("/ports/0/name", json!("A"), "ports[0].name", "must be a DNS label"),
            ("/ports", json!([{}, {}]), "ports[1].name", "must differ"),
        ],
    );
}

#[test]
fn a_bad_node_namespace_event_or_lease_is_refused() {
    let taint = |key: &str| json!({"key": key, "effect": "NoSchedule"});
    assert_each_is_refused::<Node>(
        &json!({"metadata": {"name": "n"}}),
        &[
            ("/spec/podCIDR", json!("10.1.0.0"), "spec.podCIDR", "must be a range"),
            ("/spec/podCIDRs", json!(["10.1.0.0/33"]), "spec.podCIDRs[0]", "must be a range"),
            ("/spec", json!({"podCIDR": "::/8", "podCIDRs": ["::/9"]}), "spec.podCIDR", "must be the first of"),
            ("/spec/taints", json!([taint("")]), "spec.taints[0].key", "must be a name"),
            ("/spec/taints", json!([taint("a"), taint("a")]), "spec.taints[1]", "must differ"),
            ("/status/capacity", json!({"cpu": "-1"}), "status.capacity[\"cpu\"]", "must not be negative"),
        ],
    );
    assert_each_is_refused::<Namespace>(
        &json!({"metadata": {"name": "shop"}}),
        &[
            ("/metadata/name", json!("a.b"), "metadata.name", "must be a DNS label"),
            ("/spec/finalizers", json!(["a b"]), "spec.finalizers[0]", "must be a name"),
        ],
    );
    assert_each_is_refused::<Event>(
        &json!({"metadata": {"name": "e", "namespace": "shop"}, "involvedObject": {"namespace": "shop"}}),
        &[
            ("/involvedObject/namespace", json!("other"), "involvedObject.namespace", "must be the namespace"),
            ("/count", json!(-1), "count", "must be at least 0"),
        ],
    );
    let cases = [
        ("/spec/leaseDurationSeconds", json!(0), "spec.leaseDurationSeconds", "must be at least 1"),
        ("/spec/leaseTransitions", json!(-1), "spec.leaseTransitions", "must be at least 0"),
    ];
    assert_each_is_refused::<Lease>(&json!({"metadata": {"name": "l"}}), &cases);
    let (time, less) = ("2026-11-22T18:00:00Z", json!({"cpu": "-1"}));
    assert_each_is_refused::<NodeMetrics>(
        &json!({"metadata": {"name": "n"}, "timestamp": time, "window": "30s"}),
        &[("/usage", less.clone(), "usage[\"cpu\"]", "must not be negative")],
    );
    assert_each_is_refused::<PodMetrics>(
        &json!({"metadata": {"name": "p"}, "timestamp": time, "window": "30s", "containers": [{"name": "a"}]}),
        &[("/containers/0/usage", less, "containers[0].usage[\"cpu\"]", "must not be negative")],
    );
}

#[test]
fn bad_metadata_is_refused() {
    let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "1", "controller": true});
    let nobody = json!({"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": ""});
    let long = "x".repeat(256 * 1024);
    for (bad, path, words) in [
        (json!({}), "name", "must be given, for example"),
        (json!({"name": "A"}), "name", "must be a DNS subdomain"),
        (json!({"name": "a", "namespace": "b.c"}), "namespace", "must be a DNS label"),
        (json!({"name": "a", "labels": {"a/b/c": ""}}), "labels[\"a/b/c\"]", "must be a name such as"),
        (json!({"name": "a", "labels": {"/b": ""}}), "labels[\"/b\"]", "must be a name such as"),
        (json!({"name": "a", "labels": {"b": "x".repeat(64)}}), "labels[\"b\"]", "must be empty or at most 63"),
        (json!({"name": "a", "annotations": {"b": long}}), "annotations", "must have at most 262144 bytes"),
        (json!({"name": "a", "annotations": {"b c": ""}}), "annotations[\"b c\"]", "must be a name such as"),
        (json!({"name": "a", "finalizers": [""]}), "finalizers[0]", "must be a name such as"),
        (json!({"name": "a", "ownerReferences": [owner, owner]}), "ownerReferences", "must hold at most one owner"),
        (json!({"name": "a", "ownerReferences": [nobody]}), "ownerReferences[0].uid", "must not be empty"),
    ] {
        let metadata: ObjectMeta = serde_json::from_value(bad).expect("metadata");
        let mut problems = Problems::default();
        validate_metadata(&metadata, &mut problems);
        let found = problems.into_result().expect_err("bad metadata").to_string();
        assert!(found.starts_with(&format!("{path}: {words}")), "{found}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let mut bad = deployment();
    set(&mut bad, "/spec/replicas", json!(-1));
    set(&mut bad, "/spec/template/spec/containers/0/name", json!(""));
    let problems = problems_of::<Deployment>(bad);
    assert!(problems.starts_with("spec.replicas: "), "{problems}");
    assert!(problems.contains("; spec.template.spec.containers[0].name: must be a DNS label"), "{problems}");
}

#[test]
fn an_unknown_word_is_refused_with_the_allowed_ones() {
    let mut bad = pod();
    set(&mut bad, "/spec/restartPolicy", json!("Sometimes"));
    let error = serde_json::from_value::<Pod>(bad).expect_err("no such policy").to_string();
    assert_eq!(error, "unknown variant `Sometimes`, expected one of `Always`, `OnFailure`, `Never`");
}
