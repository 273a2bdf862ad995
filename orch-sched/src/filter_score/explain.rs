//! [`refusal`]: why no node takes a pod.

use std::collections::BTreeMap;

use orch_core::scheduler::{Refusal, RuleCount};

use super::plugin::{Filter, Reason};
use super::{NodeInfo, PodInfo};

/// A node and the first filter that excluded it, by its position.
#[derive(Debug)]
pub(super) struct Exclusion<'a> {
    pub(super) filter: usize,
    pub(super) reason: Reason,
    pub(super) node: &'a NodeInfo,
}

/// Counts the exclusions by filter and reason, the most first, and asks the filters in the order of their counts for a
/// hint.
pub(super) fn refusal(filters: &[Box<dyn Filter>], pod: &PodInfo, excluded: Vec<Exclusion<'_>>) -> Refusal {
    let nodes = excluded.len();
    if nodes == 0 {
        let hint = "there are no nodes: add one".to_owned();
        return Refusal { nodes, rules: Vec::new(), hint: Some(hint) };
    }
    let mut groups: BTreeMap<(usize, Reason), Vec<&NodeInfo>> = BTreeMap::new();
    for exclusion in excluded {
        groups.entry((exclusion.filter, exclusion.reason)).or_default().push(exclusion.node);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    // A stable sort: with equal counts, the order of filters and of words remains.
    groups.sort_by_key(|(_, nodes)| std::cmp::Reverse(nodes.len()));
    let hint = groups.iter().find_map(|((filter, _), nodes)| filters[*filter].hint(pod, nodes));
    let count = |((filter, reason), nodes): ((usize, Reason), Vec<&NodeInfo>)| RuleCount {
        rule: filters[filter].name(),
        reason: reason.as_str().to_owned(),
        nodes: nodes.len(),
    };
    Refusal { nodes, rules: groups.into_iter().map(count).collect(), hint }
}
