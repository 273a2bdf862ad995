//! [`DnsServer`]: answers for the names of services and pods.

mod answer;
mod authority;
mod config;
mod error;
mod forward;
mod question;
mod socket;
mod tcp;
mod udp;
mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;

use orch_core::dns::NameBoard;
use tokio::task::JoinSet;

pub use config::DnsConfig;
pub use error::DnsError;

use authority::{Authority, Reply};
use forward::Forwarder;

/// Answers for the names of services and pods, over UDP and TCP.
///
/// Each question is answered from the table that is on the board at that moment, so an answer is as new as what was
/// published. Until the first table is published it fails (`SERVFAIL`), rather than say that a name does not exist.
///
/// Names outside the zone are refused, or handed on to other name servers if there are any: see
/// [`DnsConfig::upstreams`]. So are addresses that are neither a service's nor an endpoint's. Answers of others are
/// not kept.
///
/// It runs until it is dropped.
#[derive(Debug)]
pub struct DnsServer {
    addresses: Vec<SocketAddr>,
    _tasks: JoinSet<()>,
}

impl DnsServer {
    /// Begins to answer questions from what is on `board`. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// [`DnsError`] when it cannot listen, or was told to ask itself. Then it listens nowhere.
    pub async fn start(config: DnsConfig, board: Arc<NameBoard>) -> Result<Self, DnsError> {
        let mut sockets = Vec::new();
        for address in &config.addresses {
            sockets.push(socket::bind(*address).await?);
        }
        let addresses: Vec<SocketAddr> = sockets.iter().map(|pair| pair.address).collect();
        if let Some(upstream) = config.upstreams.iter().find(|upstream| socket::is_ours(&addresses, **upstream)) {
            return Err(DnsError::AsksItself { upstream: *upstream });
        }
        let names = Names {
            board,
            authority: Arc::new(Authority::new(&config.zone, config.ttl)),
            forwarder: (!config.upstreams.is_empty()).then(|| Arc::new(Forwarder::new(&config))),
        };
        let mut tasks = JoinSet::new();
        for socket::Pair { udp, tcp, .. } in sockets {
            tasks.spawn(udp::serve(udp, names.clone()));
            tasks.spawn(tcp::serve(tcp, names.clone(), config.connections_max, config.connection_timeout));
        }
        Ok(Self { addresses, _tasks: tasks })
    }

    /// Where it listens, in the order of the configuration; port 0 has become the one that was given.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// What questions are answered from.
#[derive(Clone, Debug)]
struct Names {
    board: Arc<NameBoard>,
    authority: Arc<Authority>,
    forwarder: Option<Arc<Forwarder>>,
}

impl Names {
    /// What to do about `message`, whose answer may have `room` bytes.
    fn reply(&self, message: &[u8], room: usize) -> Reply {
        self.authority.reply(message, self.board.read().as_ref(), room, self.forwarder.is_some())
    }
}
