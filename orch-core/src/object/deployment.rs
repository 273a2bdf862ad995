//! [`Deployment`]: a number of pods, all alike, and how they are replaced when what is asked for changes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::condition::DeploymentCondition;
use super::int_or_string::IntOrString;
use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use super::pod::PodTemplateSpec;
use super::replica_set::validate_selected_template;
use super::selector::LabelSelector;
use crate::kind::{Kind, Object, Scope};
use crate::validation::Problems;

/// A number of pods, all alike, and how they are replaced when what is asked for changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    /// What every object has.
    pub metadata: ObjectMeta,
    /// What is asked for.
    pub spec: DeploymentSpec,
    /// What is.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub status: DeploymentStatus,
}

impl Object for Deployment {
    const KIND: Kind =
        Kind { api_version: "apps/v1", name: "Deployment", collection: "deployments.apps", scope: Scope::Namespaced };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        problems.field("spec", |problems| self.spec.validate(problems));
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

/// What is asked for in a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentSpec {
    /// How many pods; see [`replicas`](Self::replicas).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Which pods belong to it. Never changes.
    pub selector: LabelSelector,
    /// How its pods are made.
    pub template: PodTemplateSpec,
    /// How pods are replaced when the template changes.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub strategy: DeploymentStrategy,
    /// How long a pod must be ready to count as available; see [`min_ready`](Self::min_ready).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_ready_seconds: Option<i32>,
    /// How many old replica sets are kept; see [`revision_history_limit`](Self::revision_history_limit).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_history_limit: Option<i32>,
    /// Whether a change of the template is left alone for now.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub paused: bool,
    /// How long a rollout may stand still; see [`progress_deadline`](Self::progress_deadline).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_deadline_seconds: Option<i32>,
}

impl DeploymentSpec {
    /// How many pods; 1 by default.
    #[must_use]
    pub fn replicas(&self) -> i32 {
        self.replicas.unwrap_or(1)
    }

    /// How long a pod must be ready to count as available; not at all by default.
    #[must_use]
    pub fn min_ready(&self) -> Duration {
        Duration::from_secs(self.min_ready_seconds.unwrap_or(0).max(0).unsigned_abs().into())
    }

    /// How many old replica sets are kept for going back; 10 by default.
    #[must_use]
    pub fn revision_history_limit(&self) -> usize {
        usize::try_from(self.revision_history_limit.unwrap_or(10)).unwrap_or(0)
    }

    /// How long a rollout may stand still before it counts as failed; 600 s by default, and without end when it is
    /// `i32::MAX`.
    #[must_use]
    pub fn progress_deadline(&self) -> Option<Duration> {
        let seconds = self.progress_deadline_seconds.unwrap_or(600);
        (seconds != i32::MAX).then(|| Duration::from_secs(seconds.max(0).unsigned_abs().into()))
    }

    /// How many pods above [`replicas`](Self::replicas) a rollout may make; 25 %, rounded up, by default.
    ///
    /// Text that is no percentage, which validation refuses, counts as absent.
    #[must_use]
    pub fn max_surge(&self) -> i32 {
        let replicas = self.replicas();
        let surge = self.rolling_update().and_then(|rolling| rolling.max_surge.as_ref());
        surge.and_then(|surge| surge.of_total_rounded_up(replicas)).unwrap_or_else(|| quarter(replicas, 3)).max(0)
    }

    /// How many of the [`replicas`](Self::replicas) may be missing during a rollout; 25 %, rounded down, by default.
    /// When both this and the surge would come to zero, this is one: else no rollout could begin. Never more than
    /// there are replicas.
    ///
    /// Text that is no percentage, which validation refuses, counts as absent.
    #[must_use]
    pub fn max_unavailable(&self) -> i32 {
        let replicas = self.replicas();
        let missing = self.rolling_update().and_then(|rolling| rolling.max_unavailable.as_ref());
        let missing = missing.and_then(|missing| missing.of_total_rounded_down(replicas));
        let missing = missing.unwrap_or_else(|| quarter(replicas, 0)).max(0);
        let least = i32::from(self.max_surge() == 0);
        missing.max(least).min(replicas.max(0))
    }

    fn validate(&self, problems: &mut Problems) {
        problems.at_least("replicas", self.replicas, 0);
        validate_selected_template(&self.selector, &self.template, problems);
        problems.field("strategy", |problems| self.strategy.validate(problems));
        problems.at_least("minReadySeconds", self.min_ready_seconds, 0);
        problems.at_least("revisionHistoryLimit", self.revision_history_limit, 0);
        let (deadline, ready) = (self.progress_deadline_seconds.unwrap_or(600), self.min_ready_seconds.unwrap_or(0));
        if deadline <= ready {
            let message = format!("must be more than minReadySeconds of {ready}, got {deadline}");
            problems.field("progressDeadlineSeconds", |problems| problems.report(message));
        }
    }

    fn rolling_update(&self) -> Option<&RollingUpdateDeployment> {
        self.strategy.rolling_update.as_ref()
    }
}

/// A quarter of the total, after adding `round` quarters.
fn quarter(total: i32, round: i32) -> i32 {
    total.max(0).saturating_add(round) / 4
}

/// How pods are replaced when the template changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentStrategy {
    /// In which way; see [`strategy_type`](Self::strategy_type).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<DeploymentStrategyType>,
    /// How far a rolling update may go at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolling_update: Option<RollingUpdateDeployment>,
}

impl DeploymentStrategy {
    /// In which way pods are replaced; [`DeploymentStrategyType::RollingUpdate`] by default.
    #[must_use]
    pub fn strategy_type(&self) -> DeploymentStrategyType {
        self.r#type.unwrap_or_default()
    }

    fn validate(&self, problems: &mut Problems) {
        let Some(rolling) = &self.rolling_update else { return };
        problems.field("rollingUpdate", |problems| {
            if self.strategy_type() == DeploymentStrategyType::Recreate {
                problems.report("must be left out when the type is Recreate");
            }
            validate_amount("maxUnavailable", rolling.max_unavailable.as_ref(), 100, problems);
            validate_amount("maxSurge", rolling.max_surge.as_ref(), i32::MAX, problems);
            let is_zero = |amount: &Option<IntOrString>| {
                amount.as_ref().is_some_and(|amount| *amount == IntOrString::Int(0) || amount.percent() == Some(0))
            };
            if is_zero(&rolling.max_unavailable) && is_zero(&rolling.max_surge) {
                let message = "must not be 0 when maxSurge is 0: no pod could be replaced";
                problems.field("maxUnavailable", |problems| problems.report(message));
            }
        });
    }
}

/// Reports an amount of pods that is neither a number nor a percentage of at most `most_percent`.
fn validate_amount(name: &str, amount: Option<&IntOrString>, most_percent: i32, problems: &mut Problems) {
    let message = match (amount, amount.and_then(IntOrString::percent)) {
        (None | Some(IntOrString::Int(0..)), _) => return,
        (Some(IntOrString::Int(number)), _) => format!("must be at least 0, got {number}"),
        (Some(_), Some(percent)) if percent <= most_percent => return,
        (Some(_), Some(percent)) => format!("must be at most {most_percent}%, got {percent}%"),
        (Some(text), None) => format!("must be a number or a percentage such as \"25%\", got \"{text}\""),
    };
    problems.field(name, |problems| problems.report(message));
}

/// In which way pods are replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeploymentStrategyType {
    /// New ones are made while old ones are removed, a few at a time.
    #[default]
    RollingUpdate,
    /// All old ones are removed before the first new one is made.
    Recreate,
}

/// How far a rolling update may go at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollingUpdateDeployment {
    /// How many of the replicas may be missing; see [`DeploymentSpec::max_unavailable`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrString>,
    /// How many pods there may be above the replicas; see [`DeploymentSpec::max_surge`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_surge: Option<IntOrString>,
}

/// What became of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentStatus {
    /// The generation of the deployment that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many pods there are.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub replicas: i32,
    /// How many of them are made by the present template.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub updated_replicas: i32,
    /// How many of them are ready.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub ready_replicas: i32,
    /// How many of them are ready for long enough.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub available_replicas: i32,
    /// How many pods are missing to the number asked for, because they do not exist or are not available.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub unavailable_replicas: i32,
    /// How many further pods are being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating_replicas: Option<i32>,
    /// What is so about the deployment.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<DeploymentCondition>,
    /// How often the name of a new replica set turned out to be taken; part of what its name is made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
}
