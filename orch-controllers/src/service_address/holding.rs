//! [`Holding`]: what a service has, and no other may have.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use orch_core::key::{Key, KeyError};
use orch_core::kind::{AnyObject, Object};
use orch_core::object::{
    IpAddress, IpAddressSpec, ObjectMeta, ParentReference, Service, ServiceNodePort, ServiceNodePortSpec, ServiceSpec,
    ServiceType,
};

/// What a service has, and no other may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holding {
    /// An address inside the cluster.
    Address(IpAddr),
    /// A port of every node.
    NodePort(u16),
}

impl Holding {
    /// Where the object is that says who has it.
    pub(super) fn key(self) -> Result<Key, KeyError> {
        match self {
            Self::Address(_) => Key::new(&IpAddress::KIND, None, &self.name()),
            Self::NodePort(_) => Key::new(&ServiceNodePort::KIND, None, &self.name()),
        }
    }

    /// What the object at `key` says who has, if it is of such a kind.
    pub(super) fn at(key: &Key) -> Option<Self> {
        let name = || key.name().to_owned();
        if key.collection() == IpAddress::KIND.collection {
            let metadata = ObjectMeta { name: name(), ..ObjectMeta::default() };
            IpAddress { metadata, ..IpAddress::default() }.address().map(Self::Address)
        } else if key.collection() == ServiceNodePort::KIND.collection {
            let metadata = ObjectMeta { name: name(), ..ObjectMeta::default() };
            ServiceNodePort { metadata, ..ServiceNodePort::default() }.port().map(Self::NodePort)
        } else {
            None
        }
    }

    /// A new object that says that `service` has it.
    pub(super) fn allocation(self, service: &Key) -> Arc<dyn AnyObject> {
        let metadata = ObjectMeta { name: self.name(), ..ObjectMeta::default() };
        let parent_ref = ParentReference::to_service(service);
        match self {
            Self::Address(_) => Arc::new(IpAddress { metadata, spec: IpAddressSpec { parent_ref } }),
            Self::NodePort(_) => Arc::new(ServiceNodePort { metadata, spec: ServiceNodePortSpec { parent_ref } }),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::NodePort(port) => port.to_string(),
        }
    }
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// The service that an allocation names, if it is one.
pub(super) fn parent(allocation: &dyn AnyObject) -> Option<Key> {
    let of_address = allocation.downcast_ref::<IpAddress>().map(|address| &address.spec.parent_ref);
    let of_port = allocation.downcast_ref::<ServiceNodePort>().map(|port| &port.spec.parent_ref);
    of_address.or(of_port)?.service()
}

/// The same allocation, of `service`.
pub(super) fn with_parent(allocation: &dyn AnyObject, service: &Key) -> Arc<dyn AnyObject> {
    let parent_ref = ParentReference::to_service(service);
    if let Some(address) = allocation.downcast_ref::<IpAddress>() {
        return Arc::new(IpAddress { metadata: address.metadata.clone(), spec: IpAddressSpec { parent_ref } });
    }
    match allocation.downcast_ref::<ServiceNodePort>() {
        Some(port) => {
            Arc::new(ServiceNodePort { metadata: port.metadata.clone(), spec: ServiceNodePortSpec { parent_ref } })
        }
        None => allocation.clone_arc(),
    }
}

/// The addresses that a service says, each with its field, as text.
pub(super) fn addresses(spec: &ServiceSpec) -> Vec<(String, &str)> {
    if spec.is_headless() {
        return Vec::new();
    }
    let one = spec.cluster_ip.as_deref().filter(|address| !address.is_empty());
    let mut all: Vec<_> = one.into_iter().map(|address| ("spec.clusterIP".to_owned(), address)).collect();
    for (index, address) in spec.cluster_ips.iter().enumerate() {
        if Some(address.as_str()) != one && !address.is_empty() {
            all.push((format!("spec.clusterIPs[{index}]"), address.as_str()));
        }
    }
    all
}

/// What a service has, each with its field. What is no address or port is left out.
pub(super) fn holdings(service: &Service) -> Vec<(String, Holding)> {
    let parsed = |(field, text): (String, &str)| Some((field, Holding::Address(text.parse().ok()?)));
    let mut all: Vec<_> = addresses(&service.spec).into_iter().filter_map(parsed).collect();
    if service.spec.service_type() == ServiceType::NodePort {
        for (index, port) in service.spec.ports.iter().enumerate() {
            let number = port.node_port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
            all.extend(number.map(|port| (format!("spec.ports[{index}].nodePort"), Holding::NodePort(port))));
        }
    }
    all
}

/// [`holdings`] of any object, without their fields, each once.
pub(super) fn held_by(object: &dyn AnyObject) -> Vec<Holding> {
    let all = object.downcast_ref::<Service>().map_or_else(Vec::new, holdings);
    let mut all: Vec<_> = all.into_iter().map(|(_, holding)| holding).collect();
    all.sort_unstable();
    all.dedup();
    all
}
