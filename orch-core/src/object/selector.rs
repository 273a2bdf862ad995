//! [`LabelSelector`]: which objects are meant, by their labels.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::label::{validate_label_key, validate_label_value, validate_labels};
use super::null::null_as_default;
use crate::validation::Problems;

/// Which objects are meant, by their labels. All requirements must hold; an empty selector means every object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    /// Labels that must be there with exactly this value.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

impl LabelSelector {
    /// The selector of all objects that have each of these labels.
    #[must_use]
    pub fn of_labels(labels: BTreeMap<String, String>) -> Self {
        Self { match_labels: labels, match_expressions: Vec::new() }
    }

    /// Whether an object with these labels is meant.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }

    /// Whether nothing is required, so that every object is meant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        problems.field("matchLabels", |problems| validate_labels(&self.match_labels, problems));
        problems.each("matchExpressions", &self.match_expressions, |problems, requirement| {
            requirement.validate(problems);
        });
    }
}

/// One requirement on one label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelectorRequirement {
    /// The label's key.
    pub key: String,
    /// How the label's value relates to `values`.
    pub operator: LabelSelectorOperator,
    /// At least one value for `In` and `NotIn`, none for `Exists` and `DoesNotExist`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl LabelSelectorRequirement {
    /// Whether labels meet this requirement. As in Kubernetes, `NotIn` also holds where the label is absent.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            LabelSelectorOperator::In => value.is_some_and(|value| self.values.contains(value)),
            LabelSelectorOperator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            LabelSelectorOperator::Exists => value.is_some(),
            LabelSelectorOperator::DoesNotExist => value.is_none(),
        }
    }

    fn validate(&self, problems: &mut Problems) {
        problems.field("key", |problems| validate_label_key(&self.key, problems));
        problems.each("values", &self.values, |problems, value| validate_label_value(value, problems));
        let wanted = matches!(self.operator, LabelSelectorOperator::In | LabelSelectorOperator::NotIn);
        if self.values.is_empty() == wanted {
            let rule = if wanted { "must hold at least one value" } else { "must be left out" };
            problems
                .field("values", |problems| problems.report(format!("{rule} for the operator {:?}", self.operator)));
        }
    }
}

impl fmt::Display for LabelSelectorRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.key, self.operator)?;
        if self.values.is_empty() { Ok(()) } else { write!(f, " [{}]", self.values.join(", ")) }
    }
}

/// How a label's value relates to the values of a requirement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LabelSelectorOperator {
    /// It is one of them.
    #[default]
    In,
    /// It is none of them, or there is no such label.
    NotIn,
    /// There is such a label, with any value.
    Exists,
    /// There is no such label.
    DoesNotExist,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_matches_labels_that_meet_all_of_its_requirements() {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        for (matches, selector) in [
            (true, "{}"),
            (true, r#"{"matchLabels": {"app": "web"}}"#),
            (false, r#"{"matchLabels": {"app": "api"}}"#),
            (false, r#"{"matchLabels": {"app": "web", "tier": "front"}}"#),
            (true, r#"{"matchExpressions": [{"key": "app", "operator": "In", "values": ["api", "web"]}]}"#),
            (false, r#"{"matchExpressions": [{"key": "tier", "operator": "In", "values": ["web"]}]}"#),
            (false, r#"{"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}"#),
            (true, r#"{"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}"#),
            (true, r#"{"matchExpressions": [{"key": "app", "operator": "Exists"}]}"#),
            (false, r#"{"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}"#),
            (false, r#"{"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}"#),
        ] {
            let parsed: LabelSelector = serde_json::from_str(selector).expect("a selector");
            assert_eq!(parsed.matches(&labels), matches, "{selector}");
        }
    }
}
