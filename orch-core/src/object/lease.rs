//! [`Lease`]: who holds something, and until when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::metadata::ObjectMeta;
use super::null::{is_default, null_as_default};
use super::time::MicroTime;
use crate::kind::{Kind, Object, Scope};
use crate::validation::Problems;

/// Who holds something, and until when: a leader's office, or a node's claim to be alive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lease {
    /// What every object has.
    pub metadata: ObjectMeta,
    /// Who holds it, and until when.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub spec: LeaseSpec,
}

impl Object for Lease {
    const KIND: Kind = Kind {
        api_version: "coordination.k8s.io/v1",
        name: "Lease",
        collection: "leases.coordination.k8s.io",
        scope: Scope::Namespaced,
    };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        problems.field("spec", |problems| {
            problems.at_least("leaseDurationSeconds", self.spec.lease_duration_seconds, 1);
            problems.at_least("leaseTransitions", self.spec.lease_transitions, 0);
        });
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

/// Who holds a lease, and until when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaseSpec {
    /// Who holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder_identity: Option<String>,
    /// How long after it was last renewed others may take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_duration_seconds: Option<i32>,
    /// When the holder got it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acquire_time: Option<MicroTime>,
    /// When the holder last renewed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew_time: Option<MicroTime>,
    /// How often it changed hands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_transitions: Option<i32>,
}

impl LeaseSpec {
    /// How long after it was last renewed others may take the lease, if it says so.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.lease_duration_seconds.map(|seconds| Duration::from_secs(seconds.max(0).unsigned_abs().into()))
    }
}
