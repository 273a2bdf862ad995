//! [`IpAddress`]: which object has an address of the cluster.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::metadata::ObjectMeta;
use super::service::Service;
use crate::key::Key;
use crate::kind::{Kind, Object, Scope};
use crate::validation::Problems;

/// Which object has an address of the cluster. Its name is the address, so there is at most one for each: creating it
/// takes the address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpAddress {
    /// What every object has. The name is the address in its canonical form: `10.96.0.7`, `fd00::7`.
    pub metadata: ObjectMeta,
    /// Who has it.
    pub spec: IpAddressSpec,
}

impl Object for IpAddress {
    const KIND: Kind = Kind {
        api_version: "networking.k8s.io/v1",
        name: "IPAddress",
        collection: "ipaddresses.networking.k8s.io",
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
        if !name.is_empty() && self.address().is_none() {
            let message = format!("must be an address in its canonical form, as 10.96.0.7 or fd00::7, got {name:?}");
            problems.field("metadata", |problems| problems.field("name", |problems| problems.report(message)));
        }
        validate_parent(&self.spec.parent_ref, problems);
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl IpAddress {
    /// The address that the name says.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.metadata.name.parse().ok().filter(|address: &IpAddr| address.to_string() == self.metadata.name)
    }
}

/// Who has an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpAddressSpec {
    /// Who has it.
    pub parent_ref: ParentReference,
}

/// The object that has an address or a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParentReference {
    /// The group of its kind; none for the oldest kinds, services among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The plural of its kind: `services`.
    pub resource: String,
    /// Its namespace, if it lives in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ParentReference {
    /// The service at `key`.
    #[must_use]
    pub fn to_service(key: &Key) -> Self {
        Self {
            group: None,
            resource: Service::KIND.collection.to_owned(),
            namespace: key.namespace().map(str::to_owned),
            name: key.name().to_owned(),
        }
    }

    /// The key of the service, if it is one.
    #[must_use]
    pub fn service(&self) -> Option<Key> {
        let is_service =
            self.group.as_deref().unwrap_or_default().is_empty() && self.resource == Service::KIND.collection;
        is_service.then(|| Key::new(&Service::KIND, self.namespace.as_deref(), &self.name).ok())?
    }
}

/// Reports a parent that names nothing.
pub(super) fn validate_parent(parent: &ParentReference, problems: &mut Problems) {
    problems.field("spec", |problems| {
        problems.field("parentRef", |problems| {
            for (field, text) in [("resource", &parent.resource), ("name", &parent.name)] {
                if text.is_empty() {
                    problems.field(field, |problems| problems.report("must be given: who has it"));
                }
            }
        });
    });
}
