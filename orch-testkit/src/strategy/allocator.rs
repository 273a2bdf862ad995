//! What happens to an allocator.
//!
//! Nodes, frameworks and roles are few, so that they meet; amounts are small, so that they run out.

use orch_core::allocator::{Quantities, Quota, Resources, Role, Scalar};
use proptest::collection::{SizeRange, vec};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

/// Something that happens to an allocator. Nodes and frameworks are named by number.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is named as what it does")]
pub enum Step {
    PutNode(u8, Resources),
    RemoveNode(u8),
    NodeActive(u8, bool),
    Unavailable(u8),
    PutFramework(u8, Vec<Role>),
    FrameworkActive(u8, bool),
    RemoveFramework(u8),
    Suppress(u8),
    Revive(u8),
    Weight(Role, u8),
    Quota(Role, Quota),
    Accept { index: Index, used: Resources, refuse: u8 },
    Decline { index: Index, refuse: u8 },
    Recover(Index),
    Pass(u8),
}

/// So many steps. Shrinks towards fewer.
pub fn steps(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), count)
}

/// The steps before a cluster is of interest: a few nodes and frameworks.
pub fn beginning() -> impl Strategy<Value = Vec<Step>> {
    let nodes = vec(total(), 1..4).prop_map(|totals| {
        totals.into_iter().enumerate().map(|(number, total)| Step::PutNode(number as u8, total)).collect::<Vec<_>>()
    });
    let frameworks = vec(roles(), 1..4).prop_map(|all| {
        all.into_iter().enumerate().map(|(number, roles)| Step::PutFramework(number as u8, roles)).collect::<Vec<_>>()
    });
    (nodes, frameworks).prop_map(|(nodes, frameworks)| [nodes, frameworks].concat())
}

fn step() -> impl Strategy<Value = Step> {
    let node = || 0_u8..4;
    let framework = || 0_u8..4;
    prop_oneof![
        3 => (node(), total()).prop_map(|(node, total)| Step::PutNode(node, total)),
        1 => node().prop_map(Step::RemoveNode),
        2 => (node(), any::<bool>()).prop_map(|(node, active)| Step::NodeActive(node, active)),
        1 => node().prop_map(Step::Unavailable),
        3 => (framework(), roles()).prop_map(|(framework, roles)| Step::PutFramework(framework, roles)),
        1 => (framework(), any::<bool>()).prop_map(|(framework, active)| Step::FrameworkActive(framework, active)),
        1 => framework().prop_map(Step::RemoveFramework),
        1 => framework().prop_map(Step::Suppress),
        1 => framework().prop_map(Step::Revive),
        1 => (select(all_roles()), 1_u8..5).prop_map(|(role, weight)| Step::Weight(role, weight)),
        1 => (select(vec![role("a"), role("b")]), quota()).prop_map(|(role, quota)| Step::Quota(role, quota)),
        8 => (any::<Index>(), total(), 0_u8..10)
            .prop_map(|(index, used, refuse)| Step::Accept { index, used, refuse }),
        4 => (any::<Index>(), 0_u8..10).prop_map(|(index, refuse)| Step::Decline { index, refuse }),
        4 => any::<Index>().prop_map(Step::Recover),
        2 => (0_u8..8).prop_map(Step::Pass),
    ]
}

fn role(text: &str) -> Role {
    text.parse().unwrap_or_default()
}

fn all_roles() -> Vec<Role> {
    ["*", "a", "a/x", "a/y", "b"].map(role).into()
}

fn roles() -> impl Strategy<Value = Vec<Role>> {
    subsequence(all_roles(), 1..3)
}

/// What a node has, some of it reserved.
fn total() -> impl Strategy<Value = Resources> {
    let reserved = weighted(0.3, (select(vec!["a", "a/x", "b"]), 1_u32..4));
    (1_u32..10, 1_u32..10, weighted(0.3, 1_u32..9), reserved).prop_map(|(cpus, mem, ports, reserved)| {
        let mut text = format!("cpus:{cpus};mem:{}", mem * 100);
        if let Some(ports) = ports {
            text += &format!(";ports:[1-{ports}]");
        }
        if let Some((role, cpus)) = reserved {
            text += &format!(";cpus({role}):{cpus};mem({role}):{}", cpus * 50);
        }
        text.parse().unwrap_or_default()
    })
}

fn quota() -> impl Strategy<Value = Quota> {
    let amounts = |cpus: Option<u32>| -> Quantities {
        cpus.map(|cpus| ("cpus".into(), Scalar::from_units(cpus.into()))).into_iter().collect()
    };
    (weighted(0.5, 0_u32..8), weighted(0.5, 8_u32..12))
        .prop_map(move |(guarantees, limits)| Quota { guarantees: amounts(guarantees), limits: amounts(limits) })
}
