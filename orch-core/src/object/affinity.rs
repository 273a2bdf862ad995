//! [`Affinity`]: which nodes a pod needs or prefers. Affinity to other pods does not exist.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::label::{validate_label_key, validate_label_value};
use super::node::Node;
use super::null::null_as_default;
use crate::validation::{Problems, is_dns_subdomain};

/// Where a pod needs or prefers to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Affinity {
    /// By properties of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_affinity: Option<NodeAffinity>,
}

impl Affinity {
    pub(super) fn validate(&self, problems: &mut Problems) {
        let Some(nodes) = &self.node_affinity else { return };
        problems.field("nodeAffinity", |problems| {
            if let Some(required) = &nodes.required_during_scheduling_ignored_during_execution {
                problems.field("requiredDuringSchedulingIgnoredDuringExecution", |problems| {
                    required.validate(problems);
                });
            }
            let preferred = &nodes.preferred_during_scheduling_ignored_during_execution;
            problems.each("preferredDuringSchedulingIgnoredDuringExecution", preferred, |problems, term| {
                problems.within("weight", Some(term.weight), 1..=100);
                problems.field("preference", |problems| term.preference.validate(problems));
            });
        });
    }
}

/// Which nodes a pod needs or prefers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeAffinity {
    /// The pod is placed on no other nodes than these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_during_scheduling_ignored_during_execution: Option<NodeSelector>,
    /// Nodes are the better, the higher the sum of the weights of the terms that they match.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub preferred_during_scheduling_ignored_during_execution: Vec<PreferredSchedulingTerm>,
}

/// Nodes that a pod prefers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreferredSchedulingTerm {
    /// How much: 1 to 100.
    pub weight: i32,
    /// Which nodes.
    pub preference: NodeSelectorTerm,
}

/// Nodes, by alternatives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeSelector {
    /// A node is meant if it matches any of these.
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

impl NodeSelector {
    /// Whether this node is meant.
    #[must_use]
    pub fn matches(&self, node: &Node) -> bool {
        self.node_selector_terms.iter().any(|term| term.matches(node))
    }

    fn validate(&self, problems: &mut Problems) {
        if self.node_selector_terms.is_empty() {
            let message = "must hold at least one term, without one no node matches";
            problems.field("nodeSelectorTerms", |problems| problems.report(message));
        }
        problems.each("nodeSelectorTerms", &self.node_selector_terms, |problems, term| term.validate(problems));
    }
}

/// Nodes that meet all of some requirements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeSelectorTerm {
    /// Requirements on the node's labels.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<NodeSelectorRequirement>,
    /// Requirements on the node's fields; the only field is `metadata.name`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub match_fields: Vec<NodeSelectorRequirement>,
}

impl NodeSelectorTerm {
    /// The one field that `match_fields` can speak of.
    pub const NAME_FIELD: &str = "metadata.name";

    /// Whether the node meets all requirements. As in Kubernetes, a term without any matches no node.
    #[must_use]
    pub fn matches(&self, node: &Node) -> bool {
        let empty = self.match_expressions.is_empty() && self.match_fields.is_empty();
        let name = |key: &str| (key == Self::NAME_FIELD).then_some(node.metadata.name.as_str());
        !empty
            && self.match_expressions.iter().all(|requirement| requirement.matches_labels(&node.metadata.labels))
            && self.match_fields.iter().all(|requirement| requirement.matches_value(name(&requirement.key)))
    }
}

impl NodeSelectorTerm {
    fn validate(&self, problems: &mut Problems) {
        problems.each("matchExpressions", &self.match_expressions, |problems, requirement| {
            problems.field("key", |problems| validate_label_key(&requirement.key, problems));
            requirement.validate_values(problems);
        });
        problems.each("matchFields", &self.match_fields, |problems, requirement| requirement.validate_field(problems));
    }
}

/// One requirement on one label or field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeSelectorRequirement {
    /// The key of the label, or the name of the field.
    pub key: String,
    /// How its value relates to `values`.
    pub operator: NodeSelectorOperator,
    /// At least one value for `In` and `NotIn`, one integer for `Gt` and `Lt`, none for the others.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl NodeSelectorRequirement {
    /// Whether labels meet this requirement.
    #[must_use]
    pub fn matches_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matches_value(labels.get(&self.key).map(String::as_str))
    }

    /// Whether a value, if there is one, meets this requirement. `NotIn` also holds where there is none; `Gt` and
    /// `Lt` hold only between integers.
    fn matches_value(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|one| one == value);
        let compare = || Some((value?.parse::<i64>().ok()?, self.bound()?));
        match self.operator {
            NodeSelectorOperator::In => value.is_some_and(listed),
            NodeSelectorOperator::NotIn => !value.is_some_and(listed),
            NodeSelectorOperator::Exists => value.is_some(),
            NodeSelectorOperator::DoesNotExist => value.is_none(),
            NodeSelectorOperator::Gt => compare().is_some_and(|(value, bound)| value > bound),
            NodeSelectorOperator::Lt => compare().is_some_and(|(value, bound)| value < bound),
        }
    }

    fn validate_values(&self, problems: &mut Problems) {
        let rule = match self.operator {
            NodeSelectorOperator::In | NodeSelectorOperator::NotIn if self.values.is_empty() => {
                "must hold at least one value"
            }
            NodeSelectorOperator::Exists | NodeSelectorOperator::DoesNotExist if !self.values.is_empty() => {
                "must be left out"
            }
            NodeSelectorOperator::Gt | NodeSelectorOperator::Lt if self.bound().is_none() => {
                "must hold exactly one whole number, in quotes,"
            }
            _ => {
                let numeric = matches!(self.operator, NodeSelectorOperator::Gt | NodeSelectorOperator::Lt);
                let values = if numeric { &[] } else { self.values.as_slice() };
                return problems.each("values", values, |problems, value| validate_label_value(value, problems));
            }
        };
        problems.field("values", |problems| {
            problems.report(format!("{rule} for the operator {:?}", self.operator));
        });
    }

    fn validate_field(&self, problems: &mut Problems) {
        if self.key != NodeSelectorTerm::NAME_FIELD {
            problems.field("key", |problems| problems.report(format!("must be metadata.name, got {:?}", self.key)));
        }
        if !matches!(self.operator, NodeSelectorOperator::In | NodeSelectorOperator::NotIn) {
            let message = format!("must be In or NotIn for a field, got {:?}", self.operator);
            problems.field("operator", |problems| problems.report(message));
        }
        if !matches!(self.values.as_slice(), [name] if is_dns_subdomain(name)) {
            problems.field("values", |problems| problems.report("must hold exactly one name of a node"));
        }
    }

    /// The one integer that `Gt` and `Lt` compare with.
    fn bound(&self) -> Option<i64> {
        let [bound] = self.values.as_slice() else { return None };
        bound.parse().ok()
    }
}

/// How a value relates to the values of a requirement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NodeSelectorOperator {
    /// It is one of them.
    #[default]
    In,
    /// It is none of them, or absent.
    NotIn,
    /// It is there.
    Exists,
    /// It is absent.
    DoesNotExist,
    /// It is an integer greater than the one given.
    Gt,
    /// It is an integer less than the one given.
    Lt,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_matches_a_node_that_meets_all_of_its_requirements() {
        let mut node = Node::default();
        node.metadata.name = "node-1".to_owned();
        node.metadata.labels = BTreeMap::from([("cores".to_owned(), "8".to_owned())]);
        for (matches, term) in [
            (false, "{}"),
            (true, r#"{"matchExpressions": [{"key": "cores", "operator": "In", "values": ["4", "8"]}]}"#),
            (false, r#"{"matchExpressions": [{"key": "cores", "operator": "NotIn", "values": ["8"]}]}"#),
            (true, r#"{"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["ssd"]}]}"#),
            (true, r#"{"matchExpressions": [{"key": "cores", "operator": "Exists"}]}"#),
            (true, r#"{"matchExpressions": [{"key": "disk", "operator": "DoesNotExist"}]}"#),
            (true, r#"{"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["7"]}]}"#),
            (false, r#"{"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["8"]}]}"#),
            (true, r#"{"matchExpressions": [{"key": "cores", "operator": "Lt", "values": ["10"]}]}"#),
            (false, r#"{"matchExpressions": [{"key": "disk", "operator": "Lt", "values": ["10"]}]}"#),
            (true, r#"{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}"#),
            (false, r#"{"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["node-1"]}]}"#),
        ] {
            let parsed: NodeSelectorTerm = serde_json::from_str(term).expect("a term");
            assert_eq!(parsed.matches(&node), matches, "{term}");
        }
        assert!(!NodeSelector::default().matches(&node), "no alternative, no node");
    }
}
