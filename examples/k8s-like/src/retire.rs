//! Takes nodes out of the cluster that this run does not have.

use std::collections::BTreeSet;

use orch_controllers::node_lifecycle::NodeLifecycleController;
use orch_core::client::{Client, ClientError, Grace};
use orch_core::key::Prefix;
use orch_core::kind::{AnyObject, Object as _};
use orch_core::object::{Lease, Node, Pod};
use orch_core::store::StoreExt as _;

/// Removes the nodes that are not among `kept`, with the pods that are bound to them, and returns their names. Nothing
/// runs on them any more, and no agent of theirs will ever say so. While the cluster has no other writer.
pub(crate) async fn retire_nodes(client: &Client, kept: &BTreeSet<String>) -> Result<BTreeSet<String>, ClientError> {
    let store = client.store();
    let mut retired = BTreeSet::new();
    let (pods, _) = store.list_as::<Pod>(&Prefix::collection(&Pod::KIND)).await?;
    for pod in pods {
        if let Some(node) = pod.spec.node_name.as_ref().filter(|node| !kept.contains(*node)) {
            retired.insert(node.clone());
            remove(client, &*pod).await?;
        }
    }
    // The node goes after its pods: as long as it is there, this is done again after a crash.
    let (leases, _) =
        store.list_as::<Lease>(&Prefix::namespace(&Lease::KIND, NodeLifecycleController::LEASE_NAMESPACE)?).await?;
    for lease in leases.iter().filter(|lease| !kept.contains(&lease.metadata.name)) {
        remove(client, &**lease).await?;
    }
    let (nodes, _) = store.list_as::<Node>(&Prefix::collection(&Node::KIND)).await?;
    for node in nodes.iter().filter(|node| !kept.contains(&node.metadata.name)) {
        retired.insert(node.metadata.name.clone());
        remove(client, &**node).await?;
    }
    Ok(retired)
}

async fn remove(client: &Client, object: &dyn AnyObject) -> Result<(), ClientError> {
    client.delete(object, Grace::Now).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orch_core::clock::SystemClock;
    use orch_core::entropy::SeededEntropy;
    use orch_core::object::{Container, ObjectMeta};
    use orch_store::MemoryStore;

    use super::*;

    fn named(namespace: Option<&str>, name: &str) -> ObjectMeta {
        ObjectMeta { name: name.to_owned(), namespace: namespace.map(str::to_owned), ..ObjectMeta::default() }
    }

    fn pod(name: &str, node: Option<&str>) -> Pod {
        let mut pod = Pod { metadata: named(Some("shop"), name), ..Pod::default() };
        pod.spec.node_name = node.map(str::to_owned);
        let command = vec!["serve".to_owned()];
        pod.spec.containers.push(Container { name: "web".to_owned(), command, ..Container::default() });
        pod
    }

    #[tokio::test]
    async fn a_node_goes_with_its_pods_and_its_lease_and_the_others_stay() {
        let client =
            Client::new(Arc::new(MemoryStore::default()), Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)));
        for node in ["node-1", "node-2"] {
            let lease = named(Some(NodeLifecycleController::LEASE_NAMESPACE), node);
            client.create(Lease { metadata: lease, ..Lease::default() }).await.expect("created");
            client.create(Node { metadata: named(None, node), ..Node::default() }).await.expect("created");
            client.create(pod(node, Some(node))).await.expect("created");
        }
        client.create(pod("unbound", None)).await.expect("created");
        let office = Lease { metadata: named(Some("kube-system"), "office"), ..Lease::default() };
        client.create(office).await.expect("created");

        let kept = BTreeSet::from(["node-1".to_owned()]);
        for retired in [BTreeSet::from(["node-2".to_owned()]), BTreeSet::new()] {
            assert_eq!(retire_nodes(&client, &kept).await.expect("retired"), retired);
        }
        let page = client.store().list(&Prefix::all(), Default::default()).await.expect("a list");
        let left: Vec<&str> = page.entries.iter().map(|entry| entry.key.name()).collect();
        assert_eq!(left, ["node-1", "office", "node-1", "node-1", "unbound"]);
    }
}
