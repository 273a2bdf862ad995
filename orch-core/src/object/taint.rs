//! [`Taint`] and [`Toleration`]: which pods a node turns away.

use serde::{Deserialize, Serialize};

use super::label::{validate_label_key, validate_label_value};
use super::time::Time;
use crate::validation::Problems;

/// What a node has that pods must tolerate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Taint {
    /// The taint's name.
    pub key: String,
    /// A value that goes with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What happens to pods that do not tolerate it.
    pub effect: TaintEffect,
    /// When it was put on the node; for `NoExecute`, tolerations with an end count from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_added: Option<Time>,
}

impl Taint {
    /// Put on a node whose agent says that it is not ready.
    pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
    /// Put on a node whose agent is no longer heard of.
    pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
    /// Put on a node that is to get no more pods.
    pub const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
    /// Put on a node that is short of memory.
    pub const MEMORY_PRESSURE: &str = "node.kubernetes.io/memory-pressure";
    /// Put on a node that is short of disk.
    pub const DISK_PRESSURE: &str = "node.kubernetes.io/disk-pressure";
    /// Put on a node that is short of processes.
    pub const PID_PRESSURE: &str = "node.kubernetes.io/pid-pressure";

    /// Whether one of the tolerations tolerates this taint. What a pod tolerates beyond them is told by
    /// [`PodSpec::tolerates`](super::PodSpec::tolerates).
    #[must_use]
    pub fn is_tolerated_by(&self, tolerations: &[Toleration]) -> bool {
        tolerations.iter().any(|toleration| toleration.tolerates(self))
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        problems.field("key", |problems| validate_label_key(&self.key, problems));
        if let Some(value) = &self.value {
            problems.field("value", |problems| validate_label_value(value, problems));
        }
    }
}

/// What happens to pods that do not tolerate a taint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TaintEffect {
    /// They are not placed on the node; those that run there stay.
    #[default]
    NoSchedule,
    /// They are placed on the node only if nothing better is found.
    PreferNoSchedule,
    /// They are not placed on the node, and those that run there are removed.
    NoExecute,
}

/// Which taints a pod tolerates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toleration {
    /// The taint's name; absent, with the operator `Exists`, for every taint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How the taint's value relates to `value`; see [`operator`](Self::operator).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// The taint's value, for the operator `Equal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The effect that is tolerated; absent for every effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// How long a `NoExecute` taint is tolerated; absent for ever, zero or less not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
}

impl Toleration {
    /// Whether this taint is tolerated, for however long.
    #[must_use]
    pub fn tolerates(&self, taint: &Taint) -> bool {
        let same_key = self.key.as_deref().is_none_or(|key| key.is_empty() || key == taint.key);
        let same_value = || self.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default();
        self.effect.is_none_or(|effect| effect == taint.effect)
            && same_key
            && (self.operator() == TolerationOperator::Exists || same_value())
    }

    /// The operator; `Equal` by default.
    #[must_use]
    pub fn operator(&self) -> TolerationOperator {
        self.operator.unwrap_or_default()
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        let value = self.value.as_deref().unwrap_or_default();
        match self.key.as_deref() {
            None | Some("") if self.operator() == TolerationOperator::Equal => {
                problems.field("key", |key| key.report("must be given unless the operator is Exists"));
            }
            None | Some("") => {}
            Some(key) => problems.field("key", |problems| validate_label_key(key, problems)),
        }
        if self.operator() == TolerationOperator::Exists && !value.is_empty() {
            problems.field("value", |value| value.report("must be left out when the operator is Exists"));
        } else {
            problems.field("value", |problems| validate_label_value(value, problems));
        }
        if self.toleration_seconds.is_some() && self.effect != Some(TaintEffect::NoExecute) {
            let message = "must be left out unless the effect is NoExecute: other effects remove no pods";
            problems.field("tolerationSeconds", |problems| problems.report(message));
        }
    }
}

/// How a taint's value relates to a toleration's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TolerationOperator {
    /// They are equal.
    #[default]
    Equal,
    /// Any value will do.
    Exists,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toleration_matches_by_key_value_and_effect_where_it_has_them() {
        let taint = Taint {
            key: "gpu".to_owned(),
            value: Some("a100".to_owned()),
            effect: TaintEffect::NoSchedule,
            time_added: None,
        };
        for (tolerates, toleration) in [
            (true, r#"{"operator": "Exists"}"#),
            (true, r#"{"key": "gpu", "operator": "Exists"}"#),
            (true, r#"{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}"#),
            (true, r#"{"key": "gpu", "value": "a100"}"#),
            (true, r#"{"key": "gpu", "operator": "Equal", "value": "a100"}"#),
            (false, r#"{"key": "gpu"}"#),
            (false, r#"{"key": "gpu", "value": "h100"}"#),
            (false, r#"{"key": "disk", "operator": "Exists"}"#),
            (false, r#"{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}"#),
        ] {
            let parsed: Toleration = serde_json::from_str(toleration).expect("a toleration");
            assert_eq!(taint.is_tolerated_by(&[parsed]), tolerates, "{toleration}");
        }
        assert!(!taint.is_tolerated_by(&[]));
    }
}
