//! What an app is where it says nothing, as far as that depends on what it says elsewhere.

use serde_json::{Map, Value, json};

use super::findings::Findings;

/// Whether instances are in the agent's network.
pub(super) fn is_in_host_network(given: &Map<String, Value>) -> bool {
    modes(given).all(|mode| mode == "host")
}

fn modes(given: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let networks = given.get("networks").and_then(Value::as_array).into_iter().flatten();
    networks.map(|network| network.get("mode").and_then(Value::as_str).unwrap_or("container"))
}

/// Says what is not said.
pub(super) fn complete(whole: &mut Map<String, Value>, findings: &Findings) {
    ports(whole, findings);
    health_checks(whole);
    if is_resident(whole) {
        resident(whole);
    }
}

/// One port in the agent's network if nothing is said of ports, as programs expect to be told where to listen.
fn ports(whole: &mut Map<String, Value>, findings: &Findings) {
    let bridge = modes(whole).any(|mode| mode == "container/bridge");
    if is_in_host_network(whole) {
        if findings.know_ports() {
            whole.entry("portDefinitions").or_insert_with(|| json!([{ "port": 0, "name": "default" }]));
        }
    } else if whole.get("portDefinitions") == Some(&json!([])) {
        whole.remove("portDefinitions");
    }
    let mappings = whole.get_mut("container").and_then(|container| container.get_mut("portMappings"));
    for mapping in mappings.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        if bridge {
            mapping.entry("hostPort").or_insert_with(|| 0.into());
        }
    }
}

/// The first port, if it is asked by one.
fn health_checks(whole: &mut Map<String, Value>) {
    let checks = whole.get_mut("healthChecks").and_then(Value::as_array_mut);
    for check in checks.into_iter().flatten().filter_map(Value::as_object_mut) {
        let by_command = check.get("protocol").is_some_and(|protocol| protocol == "COMMAND");
        if !by_command && !check.contains_key("port") {
            check.entry("portIndex").or_insert_with(|| 0.into());
        }
    }
}

fn is_resident(whole: &Map<String, Value>) -> bool {
    let volumes = whole.get("container").and_then(|container| container.get("volumes")).and_then(Value::as_array);
    volumes.into_iter().flatten().any(|volume| volume.get("persistent").is_some())
}

/// Instances with disks are waited for, and their disks are not doubled.
fn resident(whole: &mut Map<String, Value>) {
    whole.entry("residency").or_insert_with(|| json!({}));
    whole.entry("unreachableStrategy").or_insert_with(|| "disabled".into());
    if let Value::Object(strategy) = whole.entry("upgradeStrategy").or_insert_with(|| json!({})) {
        strategy.entry("minimumHealthCapacity").or_insert_with(|| 0.5.into());
        strategy.entry("maximumOverCapacity").or_insert_with(|| 0.0.into());
    }
}
