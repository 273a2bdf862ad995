//! Volumes, and what is in them.

use orch_core::encoding::Kinds;
use orch_core::object::{ConfigMap, Pod, Secret};
use serde_json::{Value, json};

use super::{assert_each_is_refused, assert_each_within_is_refused, pod, problems_of, set};

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
