//! Notices when a service begins to answer, and says where.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use orch_core::controller::Change;
use orch_core::key::Key;
use orch_core::object::{EndpointSlice, Service};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

/// Between two attempts to connect.
const ATTEMPT_EVERY: Duration = Duration::from_millis(50);

/// The label by which a slice names its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// How long a connection must stay open to count as taken. To be refused at its end takes this machine less.
const STAYS_OPEN: Duration = Duration::from_millis(100);

type Say = dyn Fn(String) + Send + Sync;

/// Notices when a service begins to answer, and says where.
pub(super) struct Answers {
    say: Arc<Say>,
    services: BTreeMap<Key, Known>,
}

#[derive(Default)]
struct Known {
    /// Where it is reached, once it is known.
    addresses: Vec<String>,
    /// Ready endpoints, by the slice that lists them.
    ready: BTreeMap<Key, usize>,
    /// The attempt to connect, from the first ready endpoint until there is none any more.
    attempt: Option<AbortHandle>,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("services", &self.services.len()).finish_non_exhaustive()
    }
}

impl Answers {
    /// Says it by `say`.
    pub(super) fn new(say: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self { say: Arc::new(say), services: BTreeMap::new() }
    }

    /// Takes notice of a change of services and endpoints.
    pub(super) fn observe(&mut self, change: &Change) {
        let Some(any) = change.current().or(change.previous()) else { return };
        if let Some(service) = any.downcast_ref::<Service>() {
            let known = self.services.entry(change.key().clone()).or_default();
            known.addresses = if change.current().is_some() { addresses(service) } else { Vec::new() };
            self.decide(&change.key().clone());
        } else if let Some(slice) = any.downcast_ref::<EndpointSlice>() {
            let (labels, namespace) = (&slice.metadata.labels, slice.metadata.namespace.as_deref());
            let service = labels.get(SERVICE_NAME);
            let Some(Ok(key)) =
                service.map(|name| Key::new(&<Service as orch_core::kind::Object>::KIND, namespace, name))
            else {
                return;
            };
            let ready = slice.endpoints.iter().filter(|endpoint| endpoint.conditions.ready()).count();
            let known = self.services.entry(key.clone()).or_default();
            known.ready.insert(change.key().clone(), if change.current().is_some() { ready } else { 0 });
            self.decide(&key);
        }
    }

    fn decide(&mut self, key: &Key) {
        let Some(known) = self.services.get_mut(key) else { return };
        let usable = !known.addresses.is_empty() && known.ready.values().sum::<usize>() > 0;
        match (&known.attempt, usable) {
            (None, true) => {
                let attempt = connect(key.clone(), known.addresses.clone(), Arc::clone(&self.say));
                known.attempt = Some(tokio::spawn(attempt).abort_handle());
            }
            (Some(attempt), false) => {
                attempt.abort();
                known.attempt = None;
            }
            _ => {}
        }
    }
}

/// Tries until the service answers at each of its addresses, and says so.
async fn connect(key: Key, addresses: Vec<String>, say: Arc<Say>) {
    for address in addresses {
        while !takes_connections(&address).await {
            sleep(ATTEMPT_EVERY).await;
        }
        let namespace = key.namespace().unwrap_or_default();
        say(format!("service {namespace}/{} answers at http://{address}", key.name()));
    }
}

/// Whether a connection stays open, or is even spoken on. The proxy of a service takes every connection, and resets it when
/// no endpoint does.
async fn takes_connections(address: &str) -> bool {
    let Ok(mut connection) = TcpStream::connect(address).await else { return false };
    match timeout(STAYS_OPEN, connection.read_u8()).await {
        Ok(spoken) => spoken.is_ok(),
        Err(_) => true,
    }
}

fn addresses(service: &Service) -> Vec<String> {
    let address = service.spec.cluster_ip.as_deref().filter(|_| !service.spec.is_headless());
    let ports = service.spec.ports.iter().map(|port| port.port);
    address.map_or_else(Vec::new, |address| ports.map(|port| format!("{address}:{port}")).collect())
}
