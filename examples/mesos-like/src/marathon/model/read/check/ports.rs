//! The ports of instances.

use std::collections::BTreeSet;

use super::super::findings::Findings;
use super::repeated;
use crate::marathon::model::{App, NetworkMode};

pub(super) fn check(app: &App, findings: &mut Findings) {
    let is_known = findings.know_networks();
    let is_host = app.is_in_host_network();
    if let Some(definitions) = &app.port_definitions {
        if !is_host && is_known {
            let message =
                "a network of its own has `container.portMappings`: leave these out, or `ports` if they are there";
            findings.add("/portDefinitions", message);
        }
        unique("/portDefinitions", "port", definitions.iter().map(|port| Some(port.port)), findings);
        names("/portDefinitions", definitions.iter().map(|port| port.name.as_deref()), findings);
    }
    let Some(container) = &app.container else { return };
    let mappings = &container.port_mappings;
    if is_host && is_known && !mappings.is_empty() {
        let message =
            "the agent's network has `portDefinitions`: leave these out, or set `networks` to container/bridge";
        findings.add("/container/portMappings", message);
    }
    unique("/container/portMappings", "hostPort", mappings.iter().map(|port| port.host_port), findings);
    unique("/container/portMappings", "servicePort", mappings.iter().map(|port| Some(port.service_port)), findings);
    names("/container/portMappings", mappings.iter().map(|port| port.name.as_deref()), findings);
    let mut seen = BTreeSet::new();
    for (index, mapping) in mappings.iter().enumerate() {
        let path = format!("/container/portMappings({index})/containerPort");
        if mapping.container_port == 0 {
            if mapping.host_port.is_none() && is_known && !is_host {
                findings.add(&path, "there is no port of the agent that it could be the same as: set `hostPort` to 0");
            }
            continue;
        }
        for protocol in mapping.protocol.split(',') {
            if !seen.insert((mapping.container_port, protocol)) {
                findings.add(&path, format!("{} is there twice for {protocol}", mapping.container_port));
            }
        }
    }
}

/// How many ports an app has, by its `portIndex`.
pub(super) fn count(app: &App) -> usize {
    names_of(app).len()
}

/// The names of an app's ports.
pub(super) fn names_of(app: &App) -> Vec<Option<&str>> {
    if app.networks.iter().all(|network| network.mode == NetworkMode::Host) {
        app.port_definitions.iter().flatten().map(|port| port.name.as_deref()).collect()
    } else {
        let mappings = app.container.iter().flat_map(|container| &container.port_mappings);
        mappings.map(|port| port.name.as_deref()).collect()
    }
}

/// No number is there twice, but 0, which is any that is free.
fn unique(path: &str, field: &str, ports: impl Iterator<Item = Option<u16>>, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, port) in ports.enumerate() {
        if let Some(port) = port.filter(|port| *port != 0 && !seen.insert(*port)) {
            findings.add(&format!("{path}({index})/{field}"), format!("{port} is there twice"));
        }
    }
}

/// No name is there twice, and all can be part of a domain's name.
fn names<'a>(path: &str, names: impl Iterator<Item = Option<&'a str>> + Clone, findings: &mut Findings) {
    let named = names.enumerate().filter_map(|(index, name)| Some((index, name?)));
    for (index, name) in named.clone() {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 63 || !name.bytes().all(is_letter) {
            let message = format!("{name:?} is no name of a port: it has 1 to 63 of a-z, 0-9 and '-'");
            findings.add(&format!("{path}({index})/name"), message);
        }
    }
    for (index, name) in repeated(named) {
        findings.add(&format!("{path}({index})/name"), format!("{name:?} is there twice"));
    }
}
