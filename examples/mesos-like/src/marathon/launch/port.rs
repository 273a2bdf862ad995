//! [`Port`]: a port of an instance, whatever network it is in.

use std::collections::BTreeMap;

use crate::marathon::model::{App, NetworkMode};
use crate::wire::{Label, Labels};

/// A port of an instance.
#[derive(Clone, Debug)]
pub(super) struct Port<'a> {
    /// What it is called.
    pub(super) name: Option<&'a str>,
    /// `tcp`, `udp` or both.
    pub(super) protocol: &'a str,
    /// What else is to be known of it.
    pub(super) labels: &'a BTreeMap<String, String>,
    /// The number that the app gives it; 0 if any will do.
    pub(super) declared: u16,
    /// The port of the agent that leads there.
    pub(super) host: Option<u16>,
    /// Where the program listens.
    pub(super) inner: u16,
}

impl Port<'_> {
    /// By which others reach it: by the agent if it leads there.
    pub(super) fn reached_by(&self) -> u16 {
        self.host.unwrap_or(self.inner)
    }
}

/// The ports of an instance that was given these ports of its agent, of which 0 is none.
pub(super) fn ports<'a>(app: &'a App, given: &[u16]) -> Vec<Port<'a>> {
    let given = given.iter().copied().chain(std::iter::repeat(0));
    if app.is_in_host_network() {
        let of_host = |(port, host): (&'a crate::marathon::model::PortDefinition, u16)| Port {
            name: port.name.as_deref(),
            protocol: &port.protocol,
            labels: &port.labels,
            declared: port.port,
            host: Some(host),
            inner: host,
        };
        return app.port_definitions.iter().flatten().zip(given).map(of_host).collect();
    }
    let mappings = app.container.iter().flat_map(|container| &container.port_mappings);
    let of_container = |(port, host): (&'a crate::marathon::model::PortMapping, u16)| Port {
        name: port.name.as_deref(),
        protocol: &port.protocol,
        labels: &port.labels,
        declared: port.container_port,
        host: (host != 0).then_some(host),
        inner: if port.container_port == 0 { host } else { port.container_port },
    };
    mappings.zip(given).map(of_container).collect()
}

/// The network that an instance is in; none if it is the agent's.
pub(super) fn own_network(app: &App) -> Option<(NetworkMode, Option<&str>)> {
    let own = app.networks.iter().find(|network| network.mode != NetworkMode::Host)?;
    Some((own.mode, own.name.as_deref()))
}

/// Labels as messages have them.
pub(super) fn labels<'a>(all: impl IntoIterator<Item = (&'a String, &'a String)>) -> Option<Labels> {
    let label = |(key, value): (&String, &String)| Label { key: key.clone(), value: Some(value.clone()) };
    let labels: Vec<_> = all.into_iter().map(label).collect();
    (!labels.is_empty()).then_some(Labels { labels })
}
