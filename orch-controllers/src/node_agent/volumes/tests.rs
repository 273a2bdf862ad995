//! What is in the volumes of pods.

use std::sync::Arc;

use orch_core::object::{ConfigMap, ObjectMeta, PodSpec, Secret};

use super::super::NodeAgentConfig;
use super::super::references::References;
use super::*;

fn references() -> References {
    let map = r#"{"metadata": {"name": "m"}, "data": {"a": "1"}, "binaryData": {"b": "/w=="}}"#;
    let map: ConfigMap = serde_json::from_str(map).expect("a config map");
    let secret: Secret =
        serde_json::from_str(r#"{"metadata": {"name": "s"}, "stringData": {"p": "pw"}}"#).expect("a secret");
    References {
        config_maps: [("m".to_owned(), Arc::new(map))].into(),
        secrets: [("s".to_owned(), Arc::new(secret))].into(),
    }
}

/// What is in a volume: for files, each with its mode and content.
fn told(volume: &str) -> Result<String, String> {
    let spec = format!(r#"{{"containers": [{{"name": "web"}}], "volumes": [{volume}]}}"#);
    let spec: PodSpec = serde_json::from_str(&spec).expect("a pod");
    let labels = [("app".to_owned(), "web".to_owned())].into();
    let pod =
        Pod { metadata: ObjectMeta { name: "p".into(), labels, ..ObjectMeta::default() }, spec, ..Pod::default() };
    let config = NodeAgentConfig::new("node-1", [127, 0, 0, 1].into());
    let references = references();
    let around = Surroundings { pod_ip: [10, 0, 0, 7].into(), config: &config, references: &references };
    let (_, source) = sources(&pod, around).pop().expect("a volume");
    Ok(match source? {
        VolumeSource::Files { files, .. } => {
            let words = files
                .iter()
                .map(|(path, file)| format!("{path} {:o} {}", file.mode, String::from_utf8_lossy(&file.content)));
            words.collect::<Vec<_>>().join(", ")
        }
        other => format!("{other:?}"),
    })
}

#[test]
fn files_come_from_values_and_fields_with_their_modes() {
    for (volume, files) in [
        (r#"{"name": "v", "configMap": {"name": "m", "defaultMode": 256}}"#, "a 400 1, b 400 \u{fffd}"),
        (
            r#"{"name": "v", "configMap": {"name": "m", "items": [{"key": "a", "path": "x/y", "mode": 420}]}}"#,
            "x/y 644 1",
        ),
        (r#"{"name": "v", "secret": {"secretName": "s"}}"#, "p 644 pw"),
        (r#"{"name": "v", "secret": {"secretName": "none", "optional": true}}"#, ""),
        (r#"{"name": "v", "configMap": {"name": "m", "optional": true, "items": [{"key": "z", "path": "z"}]}}"#, ""),
        (
            r#"{"name": "v", "downwardAPI": {"items": [
                {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}"#,
            "labels 644 app=\"web\", name 644 p",
        ),
    ] {
        assert_eq!(told(volume).as_deref(), Ok(files), "{volume}");
    }
}

#[test]
fn what_is_missing_is_told_in_kubernetes_words() {
    for (source, why) in [
        (r#""configMap": {"name": "x"}"#, "configmap \"x\" not found"),
        (r#""secret": {"secretName": "x"}"#, "secret \"x\" not found"),
        (
            r#""configMap": {"name": "m", "items": [{"key": "z", "path": "z"}]}"#,
            "configmap references non-existent config key: z",
        ),
    ] {
        let message = told(&format!(r#"{{"name": "v", {source}}}"#)).expect_err("it is missing");
        assert_eq!(message, format!("MountVolume.SetUp failed for volume \"v\" : {why}"));
    }
}

#[test]
fn folders_are_as_the_pod_asks() {
    let memory = told(r#"{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}"#).expect("told");
    assert_eq!(memory, "Empty { in_memory: true, limit_bytes: Some(1048576), group: None }");
    let host = told(r#"{"name": "v", "hostPath": {"path": "/srv", "type": "Directory"}}"#).expect("told");
    assert_eq!(host, "HostPath { path: \"/srv\", expects: Directory }");
}
