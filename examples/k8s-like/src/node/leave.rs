//! [`leave`]: has what runs on a node replaced elsewhere before the node is stopped.

use std::time::Duration;

use orch_core::client::{Client, ClientError, Grace, Precondition};
use orch_core::clock::Timestamp;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::{Node, Pod, Taint, TaintEffect};
use orch_core::store::StoreExt as _;
use tokio::time::{Instant, sleep};

/// Keeps pods away from a node that was stopped, until it is started again.
pub(super) const STOPPED: &str = "k8s-like.orch.dev/stopped";

/// How often it is looked whether the pods are gone.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How much longer than its grace period a pod may take to be gone.
const MARGIN: Duration = Duration::from_secs(10);
/// The grace period of a pod that names none.
const GRACE: Duration = Duration::from_secs(30);

/// Has the node get no more pods, and those of its pods deleted that a controller replaces; waits until their agent has
/// ended them. Others stay its own, and are started again with it. The node's object stays, too: it is the node's name and
/// its range of pod addresses. While its agent runs.
pub(super) async fn leave(client: &Client, name: &str) -> Result<(), ClientError> {
    keep_away(client, name).await?;
    let mut patience = Duration::ZERO;
    for pod in replaceable(client, name).await? {
        let grace = pod.spec.termination_grace_period_seconds.and_then(|grace| u64::try_from(grace).ok());
        patience = patience.max(grace.map_or(GRACE, Duration::from_secs));
        match client.delete(&pod, Grace::Own).await {
            // It is gone, or another is of its name, or its controller was faster.
            Err(error) if !error.is_conflict() && !matches!(error, ClientError::NotFound { .. }) => return Err(error),
            _ => {}
        }
    }
    let end = Instant::now() + patience + MARGIN;
    while Instant::now() < end && !replaceable(client, name).await?.is_empty() {
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn keep_away(client: &Client, name: &str) -> Result<(), ClientError> {
    let key = Key::new(&Node::KIND, None, name)?;
    loop {
        let Some(node) = client.store().get_as::<Node>(&key).await? else { return Ok(()) };
        if node.spec.taints.iter().any(|taint| taint.key == STOPPED) {
            return Ok(());
        }
        let mut kept = Node::clone(&node);
        kept.spec.taints.push(stopped(client.clock().now()));
        match client.update(kept, Precondition::of(&*node)?).await {
            Err(error) if error.is_conflict() => {}
            result => return result.map(drop),
        }
    }
}

fn stopped(now: Timestamp) -> Taint {
    let (key, effect) = (STOPPED.to_owned(), TaintEffect::NoSchedule);
    Taint { key, value: None, effect, time_added: Some(now.into()) }
}

/// The pods of the node that a controller replaces, as the store has them.
async fn replaceable(client: &Client, name: &str) -> Result<Vec<Pod>, ClientError> {
    let (pods, _) = client.store().list_as::<Pod>(&Prefix::collection(&Pod::KIND)).await?;
    let here = pods.iter().filter(|pod| pod.spec.node_name.as_deref() == Some(name));
    Ok(here.filter(|pod| pod.metadata.controller().is_some()).map(|pod| Pod::clone(pod)).collect())
}
