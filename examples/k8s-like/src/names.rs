//! [`NodeNames`]: answers pods of this machine's nodes for the names of services.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use orch_controllers::dns::DnsController;
use orch_core::controller::Controller;
use orch_core::dns::NameBoard;
use orch_core::network::Cidr;
use orch_net::{DnsConfig, DnsError, DnsServer};

use crate::local_range;

/// Answers pods of this machine's nodes for the names of services and pods, at the addresses that their packets leave by. So a
/// question never leaves the machine, and is answered whichever other nodes are gone.
#[derive(Debug)]
pub(crate) struct NodeNames {
    board: Arc<NameBoard>,
    gateways: Vec<Cidr>,
    _server: DnsServer,
}

/// Where a machine says whom to ask for other names.
const RESOLVERS: &str = "/etc/resolv.conf";
/// As many of them are asked, one after another, as by the C library.
const RESOLVERS_MAX: usize = 3;

impl NodeNames {
    /// A name server for the pods that have addresses of these ranges.
    pub(crate) async fn open(pods: &[Cidr]) -> Result<Self, NamesError> {
        let servers = pods.iter().map(|range| name_server(*range)).collect::<Result<Vec<_>, _>>()?;
        let gateways: Vec<Cidr> = servers.iter().filter_map(|server| Cidr::around(*server, 32)).collect();
        match start(&servers, &gateways).await {
            Ok((board, server)) => Ok(Self { board, gateways, _server: server }),
            Err(error) => {
                let _ = remove(&gateways).await;
                Err(error)
            }
        }
    }

    /// What tells it the names.
    pub(crate) fn controller(&self) -> Arc<dyn Controller> {
        Arc::new(DnsController::new(Arc::clone(&self.board)))
    }

    /// Answers no more, and leaves nothing of it on this machine.
    pub(crate) async fn close(self) -> io::Result<()> {
        remove(&self.gateways).await
    }
}

/// Where pods that have addresses of this range ask for names: at their gateway.
pub(crate) fn name_server(pods: Cidr) -> Result<IpAddr, NamesError> {
    pods.address(1).filter(|_| pods.is_ipv4()).ok_or(NamesError::NoAddress { pods })
}

async fn start(servers: &[IpAddr], gateways: &[Cidr]) -> Result<(Arc<NameBoard>, DnsServer), NamesError> {
    for (gateway, address) in gateways.iter().zip(servers) {
        // The bridge has it as soon as there is a pod; until then nobody could listen there.
        local_range::add(*gateway).await.map_err(|source| NamesError::NotLocal { address: *address, source })?;
    }
    let text = std::fs::read_to_string(RESOLVERS).unwrap_or_default();
    let upstreams = upstreams(&text).filter(|upstream| !servers.contains(&upstream.ip())).take(RESOLVERS_MAX);
    let addresses = servers.iter().map(|server| (*server, 53).into()).collect();
    let config = DnsConfig { addresses, upstreams: upstreams.collect(), ..DnsConfig::default() };
    let board = Arc::<NameBoard>::default();
    let server = DnsServer::start(config, Arc::clone(&board)).await?;
    Ok((board, server))
}

async fn remove(gateways: &[Cidr]) -> io::Result<()> {
    let mut result = Ok(());
    for gateway in gateways {
        result = result.and(local_range::remove(*gateway).await);
    }
    result
}

fn upstreams(resolvers: &str) -> impl Iterator<Item = SocketAddr> {
    let servers = resolvers.lines().filter_map(|line| line.trim_start().strip_prefix("nameserver"));
    servers.filter_map(|server| server.trim().parse::<IpAddr>().ok()).map(|server| (server, 53).into())
}

/// Why names are not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum NamesError {
    /// The range is too small.
    #[error("{pods} has no address for a name server")]
    NoAddress { pods: Cidr },
    /// Nobody can listen there.
    #[error("{address} cannot be made this machine's own: {source}")]
    NotLocal { address: IpAddr, source: io::Error },
    /// The server's own.
    #[error(transparent)]
    Server(#[from] DnsError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_are_asked_for_where_the_machine_asks() {
        let text =
            "# local\nsearch lan\nnameserver 192.0.2.1\n  nameserver\t2001:db8::1\nnameserver x\noptions ndots:1\n";
        let found: Vec<String> = upstreams(text).map(|server| server.to_string()).collect();
        assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53"]);
    }
}
