//! What to do about a node, and about what says which node has a range.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use orch_core::client::ClientError;
use orch_core::clock::Timestamp;
use orch_core::controller::{Action, EventType, Plan, Report};
use orch_core::network::Cidr;
use orch_core::object::{Node, ObjectMeta, PodCidr, PodCidrSpec};

use super::config::{NodeRanges, PodCidrConfig};
use crate::name_hash::hash;
use crate::rest;

/// How soon a node that got no range is looked at again.
const AGAIN: Duration = Duration::from_secs(30);

/// What is on record for a node of one of the cluster's ranges.
#[derive(Clone, Debug)]
pub(super) enum Own {
    /// Nothing.
    None,
    /// This, and the store says so too.
    Ready(Cidr),
    /// This, which was the node's before and rests.
    Resting(Arc<PodCidr>),
    /// Something that the store knows otherwise than the view.
    Unclear,
}

/// Gives a node that has no range one of each of the cluster's: first on record, then, when all are, in its spec.
pub(super) fn give(node: &Node, own: &[(NodeRanges, Own)], taken: &[Cidr]) -> Result<Plan, ClientError> {
    let (mut plan, mut ready) = (Plan::nothing(), Vec::new());
    for (ranges, own) in own {
        match own {
            Own::Ready(range) => ready.push(range.to_string()),
            Own::Unclear => {}
            Own::Resting(allocation) => {
                let mut new = PodCidr::clone(allocation);
                rest::end(&mut new.metadata);
                plan.then(Action::update(&**allocation, new)?);
            }
            Own::None => match free(node, *ranges, taken) {
                Some(range) => plan.then(Action::create(allocation(range, &node.metadata.name))),
                None => {
                    let NodeRanges { range, bits } = ranges;
                    let (parts, rest) =
                        (range.parts(*bits), "what belonged to nodes that are gone is free after its rest");
                    let message = format!(
                        "none of the {parts} ranges of {bits} bits of {range} is free: delete nodes that are no more \
                         ({rest}), or give the cluster a larger range"
                    );
                    plan.then(Action::Report(Report::about(node, EventType::Warning, "CIDRNotAvailable", message)?));
                    plan.revisit(AGAIN);
                }
            },
        }
    }
    if ready.len() == own.len() && !ready.is_empty() {
        let mut new = node.clone();
        new.spec.pod_cidr = ready.first().cloned();
        new.spec.pod_cidrs = ready;
        plan.then(Action::update(node, new)?);
    }
    Ok(plan)
}

/// The first free range from the one on that the node's name says: the same decision made twice chooses the same, and
/// nodes that come at once seldom do.
fn free(node: &Node, NodeRanges { range, bits }: NodeRanges, taken: &[Cidr]) -> Option<Cidr> {
    let parts = range.parts(bits);
    // All that is no larger than a part takes one place; what is larger, of which there is little, is compared.
    let (narrow, wide): (Vec<&Cidr>, Vec<&Cidr>) =
        taken.iter().filter(|taken| taken.overlaps(&range)).partition(|taken| taken.bits() >= bits);
    let size = range.part(bits, 0)?.size();
    let places: BTreeSet<u128> =
        narrow.iter().filter_map(|taken| range.place(taken.address(0)?)).map(|place| place / size).collect();
    let start = u128::from(hash(&[node.metadata.name.as_bytes()])) % parts;
    let order = (start..parts).chain(0..start).filter(|place| !places.contains(place));
    order.filter_map(|place| range.part(bits, place)).find(|part| wide.iter().all(|taken| !taken.overlaps(part)))
}

/// A range that a node's spec has, and what is on record about it.
#[derive(Clone, Debug)]
pub(super) struct Had {
    pub(super) range: Cidr,
    pub(super) allocation: Option<Arc<PodCidr>>,
}

/// Puts on record what a node has, and tells if it is another node's.
pub(super) fn record(node: &Node, had: &[Had]) -> Result<Plan, ClientError> {
    let mut plan = Plan::nothing();
    for Had { range, allocation: on_record } in had {
        match on_record {
            None => plan.then(Action::create(allocation(*range, &node.metadata.name))),
            Some(other) if other.spec.node_name != node.metadata.name => {
                let message =
                    format!("{range} belongs to node {}; delete this node and create it anew", other.spec.node_name);
                plan.then(Action::Report(Report::about(node, EventType::Warning, "CIDRAssignmentConflict", message)?));
            }
            Some(_) => {}
        }
    }
    Ok(plan)
}

fn allocation(range: Cidr, node: &str) -> PodCidr {
    let cidr = range.to_string();
    let metadata = ObjectMeta { name: PodCidr::name_of(&cidr).unwrap_or_default(), ..ObjectMeta::default() };
    PodCidr { metadata, spec: PodCidrSpec { cidr, node_name: node.to_owned() } }
}

/// Who has the range that an allocation stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// The node that it names has it.
    Named,
    /// The node that it names has none yet, and is about to get it.
    Coming,
    /// Not that one, says the store, but this one, says the view.
    Other(String),
    /// Not that one, says the store, and no other, says the view.
    Nobody,
}

/// Keeps an allocation to whoever has the range, and releases it when nobody has had it for long.
pub(super) fn keep(
    allocation: &Arc<PodCidr>,
    user: &User,
    config: &PodCidrConfig,
    now: Timestamp,
) -> Result<Plan, ClientError> {
    let (mut plan, mut new) = (Plan::nothing(), PodCidr::clone(allocation));
    match user {
        User::Coming => return Ok(plan),
        User::Named => rest::end(&mut new.metadata),
        User::Other(node) => {
            new.spec.node_name.clone_from(node);
            rest::end(&mut new.metadata);
        }
        User::Nobody => match rest::left(&allocation.metadata, config.rest, now) {
            None => {
                rest::begin(&mut new.metadata, now);
                plan.revisit(config.rest);
            }
            Some(left) if left.is_zero() => {
                plan.then(Action::delete(Arc::clone(allocation)));
                return Ok(plan);
            }
            Some(left) => plan.revisit(left),
        },
    }
    if new != **allocation {
        plan.then(Action::update(&**allocation, new)?);
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(range: &str, bits: u8) -> NodeRanges {
        NodeRanges { range: range.parse().expect("a range"), bits }
    }

    fn node(number: usize) -> Node {
        let mut node = Node::default();
        node.metadata.name = format!("node-{number}");
        node
    }

    #[test]
    fn every_part_is_given_once_and_nothing_that_overlaps_what_others_have() {
        for (whole, others, count) in [
            (ranges("10.244.0.0/16", 24), &[][..], 256),
            (ranges("10.244.0.0/22", 24), &["10.244.1.0/24", "10.244.2.128/25"], 2),
            (ranges("10.244.0.0/22", 24), &["10.244.2.0/23", "192.168.0.0/16"], 2),
            (ranges("10.244.0.0/22", 24), &["10.0.0.0/8"], 0),
            (ranges("fd00::/60", 64), &["fd00:0:0:3::/64"], 15),
        ] {
            let others: Vec<Cidr> = others.iter().map(|text| text.parse().expect("a range")).collect();
            let mut taken = others.clone();
            for number in 0.. {
                let Some(range) = free(&node(number), whole, &taken) else { break };
                assert!(taken.iter().all(|other| !other.overlaps(&range)), "{range} of {whole:?}");
                taken.push(range);
            }
            assert_eq!(taken.len() - others.len(), count, "{whole:?}");
        }
    }

    #[test]
    fn a_node_gets_a_range_of_each_family_when_all_are_on_record() {
        let (v4, v6) = (ranges("10.244.0.0/16", 24), ranges("fd00::/48", 64));
        let mut node = node(1);
        node.metadata.uid = Some(orch_core::object::Uid::new("u"));
        node.metadata.revision = Some(orch_core::revision::Revision(1));
        let first = give(&node, &[(v4, Own::None), (v6, Own::None)], &[]).expect("a plan");
        assert!(matches!(&first.actions[..], [Action::Create(_), Action::Create(_)]), "{first:?}");
        let ready = |text: &str| Own::Ready(text.parse().expect("a range"));
        let half = give(&node, &[(v4, ready("10.244.7.0/24")), (v6, Own::Unclear)], &[]).expect("a plan");
        assert!(half.actions.is_empty(), "{half:?}");
        let both = [(v4, ready("10.244.7.0/24")), (v6, ready("fd00:0:0:7::/64"))];
        let last = give(&node, &both, &[]).expect("a plan");
        let [Action::Update { object, .. }] = &last.actions[..] else { panic!("{last:?}") };
        let spec = &object.downcast_ref::<Node>().expect("a node").spec;
        assert_eq!(spec.pod_cidr.as_deref(), Some("10.244.7.0/24"));
        assert_eq!(spec.pod_cidrs, ["10.244.7.0/24", "fd00:0:0:7::/64"]);
    }

    #[test]
    fn a_cluster_that_is_full_says_so_and_is_asked_again() {
        let taken = ["10.244.0.0/16".parse().expect("a range")];
        let plan = give(&node(1), &[(ranges("10.244.0.0/16", 24), Own::None)], &taken).expect("a plan");
        let [Action::Report(report)] = &plan.actions[..] else { panic!("{plan:?}") };
        assert!(
            report.message.starts_with("none of the 256 ranges of 24 bits of 10.244.0.0/16 is free: "),
            "{report:?}"
        );
        assert_eq!(plan.revisit_after, Some(AGAIN));
    }
}
