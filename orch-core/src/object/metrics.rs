//! [`NodeMetrics`], [`PodMetrics`]: what nodes and containers really use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::container::validate_quantities;
use super::go_duration::GoDuration;
use super::metadata::ObjectMeta;
use super::null::null_as_default;
use super::quantity::Quantity;
use super::time::Time;
use crate::kind::{Kind, Object, Scope};
use crate::validation::Problems;

/// What a node really uses: the object has the node's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeMetrics {
    /// What every object has.
    pub metadata: ObjectMeta,
    /// When it was measured: the end of the window.
    pub timestamp: Time,
    /// How long it was measured.
    pub window: GoDuration,
    /// How much it used meanwhile, by the name of the resource: `cpu` on average, `memory` at the end.
    #[serde(default, deserialize_with = "null_as_default")]
    pub usage: BTreeMap<String, Quantity>,
}

impl Object for NodeMetrics {
    const KIND: Kind = Kind {
        api_version: "metrics.k8s.io/v1beta1",
        name: "NodeMetrics",
        collection: "nodes.metrics.k8s.io",
        scope: Scope::Cluster,
    };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        problems.field("usage", |problems| validate_quantities(&self.usage, problems));
    }
}

/// What the containers of a pod really use: the object has the pod's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodMetrics {
    /// What every object has.
    pub metadata: ObjectMeta,
    /// When it was measured: the end of the window.
    pub timestamp: Time,
    /// How long it was measured.
    pub window: GoDuration,
    /// What each container used.
    #[serde(default, deserialize_with = "null_as_default")]
    pub containers: Vec<ContainerMetrics>,
}

impl Object for PodMetrics {
    const KIND: Kind = Kind {
        api_version: "metrics.k8s.io/v1beta1",
        name: "PodMetrics",
        collection: "pods.metrics.k8s.io",
        scope: Scope::Namespaced,
    };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        problems.each("containers", &self.containers, |problems, container| {
            problems.field("usage", |problems| validate_quantities(&container.usage, problems));
        });
    }
}

/// What a container really uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerMetrics {
    /// The container's name.
    pub name: String,
    /// How much it used, by the name of the resource: `cpu` on average, `memory` at the end.
    #[serde(default, deserialize_with = "null_as_default")]
    pub usage: BTreeMap<String, Quantity>,
}
