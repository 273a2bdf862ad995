//! Older ways to say things, as newer ones.

use serde_json::{Map, Value, json};

use super::findings::Findings;
use crate::marathon::model::Constraint;

/// What `fetch` unpacks and `uris` did.
const ARCHIVES: [&str; 9] = [".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".zip", ".gz", ".tar"];

/// What a field is called now.
pub(super) fn new_name(name: &str) -> &str {
    match name {
        "uris" => "fetch",
        "ports" => "portDefinitions",
        "ipAddress" => "networks",
        other => other,
    }
}

/// Fields that have their form, with what is said in older ways said in newer ones.
pub(super) fn translate(given: &mut Map<String, Value>, findings: &mut Findings) {
    if given.get("executor").is_some_and(|executor| executor == "//cmd") {
        given.insert("executor".to_owned(), "".into());
    }
    for name in ["args", "networks", "acceptedResourceRoles"] {
        // An empty list is what clients send that have nothing to say.
        if list(given, name).is_some_and(Vec::is_empty) {
            given.remove(name);
        }
    }
    uris(given, findings);
    constraints(given, findings);
    health_checks(given);
    unreachable(given);
    docker(given, findings);
    ip_address(given, findings);
    ports(given, findings);
}

fn uris(given: &mut Map<String, Value>, findings: &mut Findings) {
    let Some(Value::Array(uris)) = given.remove("uris") else { return };
    let fetch = |uri: &Value| {
        let text = uri.as_str().unwrap_or_default();
        json!({ "uri": text, "extract": ARCHIVES.iter().any(|ending| text.ends_with(ending)) })
    };
    let new = list(given, "fetch").map_or(0, Vec::len);
    match (uris.is_empty(), new) {
        (true, 1..) => {}
        (_, 0) => drop(given.insert("fetch".to_owned(), uris.iter().map(fetch).collect())),
        (false, _) => findings.add("/uris", "`fetch` says the same: leave one of them out"),
    }
}

/// Those that are objects, as lists.
fn constraints(given: &mut Map<String, Value>, findings: &mut Findings) {
    let Some(Value::Array(all)) = given.remove("constraints") else { return };
    let (count, mut read) = (all.len(), Vec::new());
    for (index, constraint) in all.into_iter().enumerate() {
        let path = format!("/constraints({index})");
        let list = match constraint {
            Value::Object(mut object) => {
                let Some(field) = object.remove("field").or_else(|| object.remove("fieldName")) else {
                    findings.add(&format!("{path}/field"), "it has to be there");
                    continue;
                };
                [Some(field), object.remove("operator"), object.remove("value")].into_iter().flatten().collect()
            }
            list => list,
        };
        match serde_json::from_value::<Constraint>(list.clone()) {
            Ok(_) => read.push(list),
            Err(error) => findings.add(&path, error.to_string()),
        }
    }
    if read.len() == count {
        given.insert("constraints".to_owned(), read.into());
    } else {
        findings.unread("constraints");
    }
}

fn health_checks(given: &mut Map<String, Value>) {
    let Some(Value::Array(all)) = given.get_mut("healthChecks") else { return };
    for check in all.iter_mut().filter_map(Value::as_object_mut) {
        check.remove("ipProtocol");
        if let Some(command @ Value::String(_)) = check.get_mut("command") {
            *command = json!({ "value": command.take() });
        }
    }
}

fn unreachable(given: &mut Map<String, Value>) {
    let Some(Value::Object(strategy)) = given.get_mut("unreachableStrategy") else { return };
    for (old, new) in [
        ("unreachableInactiveAfterSeconds", "inactiveAfterSeconds"),
        ("unreachableExpungeAfterSeconds", "expungeAfterSeconds"),
    ] {
        if let Some(value) = strategy.remove(old) {
            strategy.entry(new).or_insert(value);
        }
    }
}

/// `container.docker.network` and `container.docker.portMappings`.
fn docker(given: &mut Map<String, Value>, findings: &mut Findings) {
    let Some(Value::Object(container)) = given.get_mut("container") else { return };
    let Some(Value::Object(docker)) = container.get_mut("docker") else { return };
    let (network, mappings) = (docker.remove("network"), docker.remove("portMappings"));
    if let Some(Value::Array(old)) = mappings.filter(|mappings| *mappings != json!([])) {
        let new = container.entry("portMappings").or_insert_with(|| json!([]));
        if *new == json!([]) {
            *new = old.into();
        } else if *new != Value::Array(old) {
            findings.add(
                "/container/docker/portMappings",
                "`container.portMappings` says something else: leave this one out, it is the older way",
            );
        }
    }
    let mode = match network.as_ref().and_then(Value::as_str) {
        None => return,
        Some("HOST") => "host",
        Some("BRIDGE") => "container/bridge",
        Some("USER") => "container",
        Some(_) => {
            findings.add("/container/docker/network", "there is no container without a network: use BRIDGE");
            return findings.unread("networks");
        }
    };
    let says_more = given.contains_key("networks") || (mode == "container" && given.contains_key("ipAddress"));
    if !says_more {
        given.insert("networks".to_owned(), json!([{ "mode": mode }]));
        return;
    }
    let modes: Vec<_> = list(given, "networks").into_iter().flatten().map(|network| network["mode"].as_str()).collect();
    if modes.iter().any(|other| other.unwrap_or("container") != mode) {
        let message = "`networks` says something else: leave this one out, it is the older way";
        findings.add("/container/docker/network", message);
    }
}

/// An address of its own, in a network with a name.
fn ip_address(given: &mut Map<String, Value>, findings: &mut Findings) {
    let Some(Value::Object(mut address)) = given.remove("ipAddress") else { return };
    if given.contains_key("networks") {
        return findings.add("/ipAddress", "`networks` says the same: leave this one out, it is the older way");
    }
    let mut network = Map::from_iter([("mode".to_owned(), "container".into())]);
    for (old, new) in [("networkName", "name"), ("labels", "labels")] {
        if let Some(value) = address.remove(old) {
            network.insert(new.to_owned(), value);
        }
    }
    given.insert("networks".to_owned(), json!([network]));
    let Some(Value::Array(mut ports)) = address.get_mut("discovery").map(|discovery| discovery["ports"].take()) else {
        return;
    };
    for port in ports.iter_mut().filter_map(Value::as_object_mut) {
        if let Some(number) = port.remove("number") {
            port.insert("containerPort".to_owned(), number);
        }
    }
    let Some(Value::Object(container)) = given.get_mut("container") else {
        return findings.add("/ipAddress/discovery/ports", "a network of its own needs a `container` with an image");
    };
    let mappings = container.entry("portMappings").or_insert_with(|| json!([]));
    if let Value::Array(mappings) = mappings
        && mappings.is_empty()
    {
        *mappings = ports;
    }
}

/// Numbers alone. Answers have them too, beside what says more.
fn ports(given: &mut Map<String, Value>, findings: &mut Findings) {
    let Some(Value::Array(ports)) = given.remove("ports") else { return };
    let of = |all: Option<&Vec<Value>>, name: &str| -> Option<Vec<Value>> {
        all.map(|all| all.iter().map(|port| port.get(name).cloned().unwrap_or_else(|| 0.into())).collect())
    };
    let definitions = of(list(given, "portDefinitions"), "port");
    let container = given.get("container").and_then(|container| container.get("portMappings"));
    let mappings = of(container.and_then(Value::as_array), "servicePort").filter(|mappings| !mappings.is_empty());
    match (definitions, mappings) {
        (Some(definitions), _) if !definitions.is_empty() || ports.is_empty() => {
            if !ports.is_empty() && definitions != ports {
                findings.add("/ports", "they are not those of `portDefinitions`: leave one of them out");
            }
        }
        (_, Some(mappings)) => {
            if !ports.is_empty() && mappings != ports {
                findings.add("/ports", "they are not the service ports of `container.portMappings`: leave them out");
            }
        }
        _ => {
            let definitions: Value = ports.into_iter().map(|port| json!({ "port": port })).collect();
            given.insert("portDefinitions".to_owned(), definitions);
        }
    }
}

fn list<'a>(given: &'a Map<String, Value>, name: &str) -> Option<&'a Vec<Value>> {
    given.get(name).and_then(Value::as_array)
}
