//! [`NodeNames`]: answers pods of this machine's nodes for the names of services.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use orch_controllers::dns::DnsController;
use orch_core::controller::Controller;
use orch_core::dns::NameBoard;
use orch_core::network::Cidr;
use orch_core::runtime::{Machine, SandboxDns};
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

/// As many name servers are asked for other names, one after another, as by the C library.
const RESOLVERS_MAX: usize = 3;

impl NodeNames {
    /// A name server for the pods that have addresses of these ranges. Whom the machine asks is asked for other names.
    pub(crate) async fn open(pods: &[Cidr], machine: &dyn Machine) -> Result<Self, NamesError> {
        let servers = pods.iter().map(|range| name_server(*range)).collect::<Result<Vec<_>, _>>()?;
        let gateways: Vec<Cidr> = servers.iter().filter_map(|server| Cidr::around(*server, 32)).collect();
        match start(&servers, &gateways, machine).await {
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

async fn start(
    servers: &[IpAddr],
    gateways: &[Cidr],
    machine: &dyn Machine,
) -> Result<(Arc<NameBoard>, DnsServer), NamesError> {
    for (gateway, address) in gateways.iter().zip(servers) {
        // The bridge has it as soon as there is a pod; until then nobody could listen there.
        local_range::add(*gateway).await.map_err(|source| NamesError::NotLocal { address: *address, source })?;
    }
    let resolver = machine.resolver().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "pods find no names but those of the cluster: whom this machine asks is not to be read");
        SandboxDns::default()
    });
    let others = resolver.nameservers.into_iter().filter(|server| !servers.contains(server)).take(RESOLVERS_MAX);
    let upstreams = others.map(|server| (server, 53).into()).collect();
    let addresses = servers.iter().map(|server| (*server, 53).into()).collect();
    let config = DnsConfig { addresses, upstreams, ..DnsConfig::default() };
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
