//! [`PodCidr`]: which node has a range of pod addresses.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::metadata::ObjectMeta;
use super::node::is_cidr;
use crate::kind::{Kind, Object, Scope};
use crate::validation::Problems;

/// Which node has a range of pod addresses. Its name says the range, so there is at most one for each: creating it
/// takes the range. Kubernetes has no such kind: it counts on having one leader at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodCidr {
    /// What every object has. The name follows from the range; see [`name_of`](Self::name_of).
    pub metadata: ObjectMeta,
    /// The range, and who has it.
    pub spec: PodCidrSpec,
}

impl Object for PodCidr {
    const KIND: Kind = Kind {
        api_version: "networking.orch.dev/v1",
        name: "PodCIDR",
        collection: "podcidrs.networking.orch.dev",
        scope: Scope::Cluster,
    };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        let PodCidrSpec { cidr, node_name } = &self.spec;
        problems.field("spec", |problems| {
            if !is_cidr(cidr) {
                let message = format!("must be a range of addresses such as \"10.1.0.0/24\", got {cidr:?}");
                problems.field("cidr", |problems| problems.report(message));
            }
            if node_name.is_empty() {
                problems.field("nodeName", |problems| problems.report("must be given: who has it"));
            }
        });
        if let Some(name) = Self::name_of(cidr).filter(|name| *name != self.metadata.name) {
            let message = format!("must be {name:?}, as spec.cidr says, got {:?}", self.metadata.name);
            problems.field("metadata", |problems| problems.field("name", |problems| problems.report(message)));
        }
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl PodCidr {
    /// The name of the object that stands for a range: `10.244.3.0-24`, or all digits of an IPv6 address with `-` in
    /// place of `:`.
    #[must_use]
    pub fn name_of(cidr: &str) -> Option<String> {
        let (address, length) = cidr.split_once('/').filter(|_| is_cidr(cidr))?;
        let address = match address.parse().ok()? {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => address.segments().map(|part| format!("{part:04x}")).join("-"),
        };
        Some(format!("{address}-{length}"))
    }
}

/// A range, and the node that has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodCidrSpec {
    /// The range.
    pub cidr: String,
    /// The node's name.
    pub node_name: String,
}
