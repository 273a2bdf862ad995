//! How others find an instance.

use super::port::{Port, labels, own_network};
use crate::marathon::model::App;
use crate::wire::{self, DiscoveryInfo, Ports, Visibility};

/// By which port tells whose network its number is of.
const SCOPE: &str = "network-scope";

/// How others find an instance: by its app's name, and its ports.
pub(super) fn discovery(app: &App, name: &str, ports: &[Port<'_>]) -> DiscoveryInfo {
    let has_own_network = own_network(app).is_some();
    let one = |port: &Port<'_>, protocol: &str| {
        let scope = (SCOPE.to_owned(), if port.host.is_some() { "host" } else { "container" }.to_owned());
        let scope = has_own_network.then_some((&scope.0, &scope.1));
        wire::Port {
            number: port.reached_by().into(),
            name: port.name.map(str::to_owned),
            protocol: Some(protocol.to_owned()),
            visibility: None,
            labels: labels(port.labels.iter().chain(scope)),
        }
    };
    let ports = ports.iter().flat_map(|port| port.protocol.split(',').map(move |protocol| one(port, protocol)));
    let mut info = DiscoveryInfo {
        name: Some(name.to_owned()),
        ports: Some(Ports { ports: ports.collect() }),
        ..DiscoveryInfo::default()
    };
    info.set_visibility(Visibility::Framework);
    info
}
