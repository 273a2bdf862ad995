//! [`ServiceNodePort`]: which service has a port of every node.

use serde::{Deserialize, Serialize};

use super::ip_address::{ParentReference, validate_parent};
use super::metadata::ObjectMeta;
use crate::kind::{Kind, Object, Scope};
use crate::validation::Problems;

/// Which service has a port of every node. Its name is the port's number, so there is at most one for each: creating it
/// takes the port.
///
/// Kubernetes has no such kind: it keeps all node ports in one object, a map of bits, which every service that gets one
/// must rewrite. This one is to ports what [`IpAddress`](super::IpAddress) is to addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceNodePort {
    /// What every object has. The name is the number of the port.
    pub metadata: ObjectMeta,
    /// Who has it.
    pub spec: ServiceNodePortSpec,
}

impl Object for ServiceNodePort {
    const KIND: Kind = Kind {
        api_version: "networking.orch.dev/v1",
        name: "ServiceNodePort",
        collection: "servicenodeports.networking.orch.dev",
        scope: Scope::Cluster,
    };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        let name = &self.metadata.name;
        if !name.is_empty() && self.port().is_none() {
            let message = format!("must be the number of a port, 1 to 65535, got {name:?}");
            problems.field("metadata", |problems| problems.field("name", |problems| problems.report(message)));
        }
        validate_parent(&self.spec.parent_ref, problems);
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl ServiceNodePort {
    /// The port that the name says.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        let port = self.metadata.name.parse().ok().filter(|port| *port > 0);
        port.filter(|port: &u16| port.to_string() == self.metadata.name)
    }
}

/// Who has a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceNodePortSpec {
    /// Who has it.
    pub parent_ref: ParentReference,
}
