//! [`register`]: makes a node known to its cluster, and learns what it needs for its pods.

use std::time::Duration;

use orch_core::client::{Client, ClientError, Precondition};
use orch_core::key::{Key, KeyError};
use orch_core::kind::Object as _;
use orch_core::network::Cidr;
use orch_core::object::{Node, ObjectMeta};
use orch_core::store::{StoreError, StoreExt as _};
use tokio::time::{Instant, sleep};

use super::leave::STOPPED;
use crate::charter::{Charter, CharterError};
use crate::show::Voice;

/// How often it is looked whether a control plane has answered.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long it may take before people are told what is waited for.
const TELL_AFTER: Duration = Duration::from_secs(3);

/// What a cluster tells a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Registration {
    /// What all of the cluster agree on.
    pub(super) charter: Charter,
    /// The addresses of the node's pods.
    pub(super) range: Cidr,
}

/// Makes the node known if it is not, and waits until a control plane has given it a range of pod addresses. While it waits
/// the store may be away.
pub(super) async fn register(client: &Client, name: &str, voice: &Voice) -> Result<Registration, RegisterError> {
    let key = Key::new(&Node::KIND, None, name)?;
    let begun = Instant::now();
    let (mut is_told, mut is_first) = (false, true);
    loop {
        match look(client, &key).await {
            Ok(Some(registration)) => return Ok(registration),
            Err(error) if is_first || !error.is_transient() => return Err(error),
            Ok(None) | Err(_) => {}
        }
        is_first = false;
        if !is_told && begun.elapsed() > TELL_AFTER {
            voice.say(&format!(
                "{name} waits for a control plane to give it addresses for its pods: is `k8s-like control-plane` started \
                 with the same --store?"
            ));
            is_told = true;
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn look(client: &Client, key: &Key) -> Result<Option<Registration>, RegisterError> {
    let charter = Charter::read(client).await?;
    let Some(node) = client.store().get_as::<Node>(key).await? else {
        let metadata = ObjectMeta { name: key.name().to_owned(), ..ObjectMeta::default() };
        return match client.create(Node { metadata, ..Node::default() }).await {
            Ok(_) | Err(ClientError::AlreadyExists { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        };
    };
    let ranges = node.spec.pod_cidrs.iter().chain(&node.spec.pod_cidr);
    let mut ranges = ranges.filter_map(|range| range.parse::<Cidr>().ok()).peekable();
    let is_given = ranges.peek().is_some();
    match (charter, ranges.find(Cidr::is_ipv4)) {
        (Some(charter), Some(range)) => Ok(Some(Registration { charter, range })),
        (_, None) if is_given => Err(RegisterError::NoIpv4 { node: key.name().to_owned() }),
        _ => Ok(None),
    }
}

/// Pods may be placed on the node again, which it kept away when it was stopped.
pub(super) async fn come_back(client: &Client, name: &str) -> Result<(), RegisterError> {
    let key = Key::new(&Node::KIND, None, name)?;
    loop {
        let Some(node) = client.store().get_as::<Node>(&key).await? else { return Ok(()) };
        if !node.spec.taints.iter().any(|taint| taint.key == STOPPED) {
            return Ok(());
        }
        let mut back = Node::clone(&node);
        back.spec.taints.retain(|taint| taint.key != STOPPED);
        match client.update(back, Precondition::of(&*node)?).await {
            Err(error) if error.is_conflict() => {}
            result => return Ok(result.map(drop)?),
        }
    }
}

/// Why a node is not one of the cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RegisterError {
    /// Of what the cluster agrees on.
    #[error(transparent)]
    Charter(#[from] CharterError),
    /// Its pods would have addresses that no runtime gives.
    #[error("node {node} has no range of IPv4 addresses for its pods in spec.podCIDRs, and they have no others")]
    NoIpv4 { node: String },
    /// The node's object.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The node's object.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node's name.
    #[error(transparent)]
    Name(#[from] KeyError),
}

impl RegisterError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Charter(error) => error.is_transient(),
            Self::Client(error) => error.is_transient() || error.is_conflict(),
            Self::Store(error) => error.is_transient(),
            _ => false,
        }
    }
}
