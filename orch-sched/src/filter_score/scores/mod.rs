//! The preferences that every scheduler starts with.

mod balanced_allocation;
mod least_allocated;
mod node_preference;
mod owner_spread;
mod taint_preference;

pub use balanced_allocation::BalancedAllocation;
pub use least_allocated::LeastAllocated;
pub use node_preference::NodePreference;
pub use owner_spread::OwnerSpread;
pub use taint_preference::TaintPreference;

use super::{CPU, NodeInfo, PodInfo};

/// Which millionths of a resource would be set aside with the pod on the node, from 0 to 1,000,000, rounded down; all,
/// if the node has none.
fn millionths_allocated(resource: &str, pod: &PodInfo, node: &NodeInfo) -> i64 {
    const ALL: i128 = 1_000_000;
    // Cores are counted in thousandths, as Kubernetes does; at the ends of an `i64` they are cut off.
    let amount = |quantity: orch_core::object::Quantity| {
        i128::from(if resource == CPU { quantity.millis() } else { quantity.value() })
    };
    let has = amount(node.allocatable(resource));
    if has <= 0 {
        return ALL as i64;
    }
    let used = amount(node.requested(resource).saturating_add(pod.request(resource)));
    // From 0 to 1,000,000, so the conversion loses nothing.
    (used * ALL / has).clamp(0, ALL) as i64
}
