//! [`PodCidrController`]: each node gets a range of pod addresses of its own.

mod config;
mod plan;

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::client::ClientError;
use orch_core::controller::{Change, Context, Controller, ControllerError, Plan, Trigger, View, ViewExt as _};
use orch_core::key::Key;
use orch_core::kind::{AnyObject, Object};
use orch_core::network::Cidr;
use orch_core::object::{Node, NodeSpec, PodCidr};
use orch_core::store::{Store, StoreExt as _};

pub use self::config::{NodeRanges, PodCidrConfig, PodCidrConfigError};
use self::plan::{Had, Own, User};
use crate::rest;
use crate::reverse_index::ReverseIndex;

/// Gives each node a range out of the cluster's, in `spec.podCIDRs`, for the addresses of its pods.
///
/// A range is taken by creating a [`PodCidr`], whose name follows from the range: there cannot be two. Then the node is
/// given it. Kubernetes' range allocator keeps what is taken in the memory of its one leader; here two leaders at once do
/// no harm.
///
/// - A range is released when its node is gone, after it has rested for [`rest`](PodCidrConfig::rest): pods of a node that
///   is gone may still run. Since when stands in an annotation of the [`PodCidr`], so a restart makes no difference. A node
///   that comes back under its name gets its range again at once.
/// - What nodes say that they have, whoever gave it to them, is put on record and given to no other. Who gives a node a
///   range by hand does so when it creates the node.
/// - A node that has ranges keeps them, also when the cluster's change.
///
/// # Why no two nodes get the same
/// A range is written into a node that had none, when the store says that it is on record for that node and not resting.
/// It is released when it rests, and the store, asked after that was seen, says that its node is gone or has others. For
/// both to happen the node would have to have been changed in between, and then the first is a conflict.
#[derive(Debug)]
pub struct PodCidrController {
    store: Arc<dyn Store>,
    config: PodCidrConfig,
    /// Nodes by the ranges in their specs.
    nodes: Arc<ReverseIndex<Cidr>>,
    /// What is on record, by the names of nodes.
    allocations: Arc<ReverseIndex<String>>,
}

impl PodCidrController {
    /// A controller that asks `store` what is so before it gives a range, or takes it back.
    ///
    /// # Errors
    /// [`PodCidrConfigError`].
    pub fn new(store: Arc<dyn Store>, config: PodCidrConfig) -> Result<Self, PodCidrConfigError> {
        config.validate()?;
        let node_of = |object: &dyn AnyObject| -> Vec<String> {
            object.downcast_ref::<PodCidr>().map(|range| range.spec.node_name.clone()).into_iter().collect()
        };
        let ranges_of = |object: &dyn AnyObject| -> Vec<Cidr> {
            object.downcast_ref::<Node>().map_or_else(Vec::new, |node| ranges(&node.spec))
        };
        Ok(Self {
            store,
            config,
            nodes: Arc::new(ReverseIndex::new(ranges_of)),
            allocations: Arc::new(ReverseIndex::new(node_of)),
        })
    }

    async fn look_at_node(&self, key: &Key, view: &dyn View) -> Result<Plan, ControllerError> {
        let Some(node) = view.get::<Node>(key) else { return Ok(Plan::nothing()) };
        if has_ranges(&node.spec) {
            let had = ranges(&node.spec).into_iter().map(|range| Had { range, allocation: on_record(range, view) });
            return Ok(plan::record(&node, &had.collect::<Vec<_>>())?);
        }
        if node.metadata.is_deleting() {
            return Ok(Plan::nothing());
        }
        let mut own = Vec::new();
        for ranges in &self.config.ranges {
            own.push((*ranges, self.own(&node.metadata.name, *ranges, view).await?));
        }
        let mut taken = Vec::new();
        if own.iter().any(|(_, own)| matches!(own, Own::None)) {
            let on_record = view.list::<PodCidr>();
            taken.extend(on_record.iter().filter_map(|range| range.spec.cidr.parse::<Cidr>().ok()));
            taken.extend(view.list::<Node>().iter().flat_map(|node| ranges(&node.spec)));
        }
        Ok(plan::give(&node, &own, &taken)?)
    }

    /// What is on record for a node, of one of the cluster's ranges.
    async fn own(&self, node: &str, of: NodeRanges, view: &dyn View) -> Result<Own, ControllerError> {
        for key in self.allocations.keys(&node.to_owned()) {
            let Some(seen) = view.get::<PodCidr>(&key) else { continue };
            let range = seen.spec.cidr.parse::<Cidr>().ok();
            let Some(range) = range.filter(|range| range.bits() == of.bits && range.overlaps(&of.range)) else {
                continue;
            };
            if rest::is_unused(&seen.metadata) {
                return Ok(Own::Resting(seen));
            }
            let now = self.store.get_as::<PodCidr>(&key).await.map_err(ClientError::from)?;
            let agrees = now.is_some_and(|now| now.spec == seen.spec && !rest::is_unused(&now.metadata));
            return Ok(if agrees { Own::Ready(range) } else { Own::Unclear });
        }
        Ok(Own::None)
    }

    async fn look_at_allocation(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        let Some(allocation) = context.view.get::<PodCidr>(key) else { return Ok(Plan::nothing()) };
        let Ok(range) = allocation.spec.cidr.parse::<Cidr>() else { return Ok(Plan::nothing()) };
        let Ok(node) = Key::new(&Node::KIND, None, &allocation.spec.node_name) else { return Ok(Plan::nothing()) };
        let seen = context.view.get::<Node>(&node);
        let user = match seen.as_deref().and_then(|node| user(node, range)) {
            Some(user) => user,
            // The view may lag: only the store can tell that the node is gone or has others.
            None => match self.store.get_as::<Node>(&node).await.map_err(ClientError::from)? {
                Some(now) => user(&now, range).unwrap_or_else(|| self.other_user(range)),
                None => self.other_user(range),
            },
        };
        Ok(plan::keep(&allocation, &user, &self.config, context.now)?)
    }

    fn other_user(&self, range: Cidr) -> User {
        self.nodes.keys(&range).first().map_or(User::Nobody, |node| User::Other(node.name().to_owned()))
    }
}

/// What a node that an allocation names has to do with the range. `None` if nothing.
fn user(node: &Node, range: Cidr) -> Option<User> {
    if ranges(&node.spec).contains(&range) {
        Some(User::Named)
    } else {
        (!has_ranges(&node.spec) && !node.metadata.is_deleting()).then_some(User::Coming)
    }
}

/// The allocation of a range.
fn on_record(range: Cidr, view: &dyn View) -> Option<Arc<PodCidr>> {
    view.find::<PodCidr>(None, &PodCidr::name_of(&range.to_string())?)
}

fn has_ranges(spec: &NodeSpec) -> bool {
    spec.pod_cidr.is_some() || !spec.pod_cidrs.is_empty()
}

/// The ranges that a node has. What is none is left out.
fn ranges(spec: &NodeSpec) -> Vec<Cidr> {
    let mut ranges: Vec<Cidr> = Vec::new();
    for range in spec.pod_cidrs.iter().chain(&spec.pod_cidr).filter_map(|text| text.parse().ok()) {
        if !ranges.contains(&range) {
            ranges.push(range);
        }
    }
    ranges
}

#[async_trait]
impl Controller for PodCidrController {
    fn name(&self) -> &'static str {
        "pod-cidr"
    }

    fn triggers(&self) -> Vec<Trigger> {
        let allocations = Arc::clone(&self.allocations);
        let of_node = move |node: &Node, _: &dyn View| {
            let names = ranges(&node.spec).into_iter().filter_map(|range| PodCidr::name_of(&range.to_string()));
            let had = names.filter_map(|name| Key::new(&PodCidr::KIND, None, &name).ok());
            had.chain(allocations.keys(&node.metadata.name)).chain(Object::key(node)).collect()
        };
        let nodes = Arc::clone(&self.nodes);
        let of_allocation = move |allocation: &PodCidr, _: &dyn View| {
            let named = Key::new(&Node::KIND, None, &allocation.spec.node_name).ok();
            let having = allocation.spec.cidr.parse().map_or_else(|_| Vec::new(), |range| nodes.keys(&range));
            having.into_iter().chain(named).chain(Object::key(allocation)).collect()
        };
        vec![Trigger::to::<Node>(of_node), Trigger::to::<PodCidr>(of_allocation)]
    }

    fn observe(&self, change: &Change) {
        self.nodes.observe(change);
        self.allocations.observe(change);
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        if key.collection() == PodCidr::KIND.collection {
            self.look_at_allocation(key, context).await
        } else {
            self.look_at_node(key, context.view).await
        }
    }
}
