//! Names of chains and of lists of clients.

use std::fmt;
use std::net::SocketAddr;

use orch_core::object::TrafficPolicy;
use orch_core::proxy::ServicePortName;
use sha2::{Digest as _, Sha256};

/// What every chain and every list of this proxy begins with. Nothing else is ever touched.
pub(super) const PREFIX: &str = "ORCH-";

/// The name of one of this proxy's chains: a fixed one, or a hash. Never any part of what a user chose.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ChainName(String);

impl ChainName {
    /// A name that does not depend on the table.
    pub(super) fn fixed(role: &'static str) -> Self {
        Self(format!("{PREFIX}{role}"))
    }

    /// A chain that was found. `None` if it is somebody else's.
    pub(super) fn found(name: &str) -> Option<Self> {
        name.starts_with(PREFIX).then(|| Self(name.to_owned()))
    }

    /// Where connections to a service port are spread over what a policy allows.
    pub(super) fn of_service(name: &ServicePortName, policy: TrafficPolicy) -> Self {
        let policy = if policy == TrafficPolicy::Local { b"local".as_slice() } else { b"cluster" };
        Self(format!("{PREFIX}S-{}", digest(&[b"service", &service_port(name), policy])))
    }

    /// Where connections go to one endpoint on this node.
    pub(super) fn of_endpoint(name: &ServicePortName, endpoint: SocketAddr) -> Self {
        Self(format!("{PREFIX}E-{}", digest(&[b"endpoint", &service_port(name), endpoint.to_string().as_bytes()])))
    }

    /// A part of a dispatch: what begins with these bits.
    pub(super) fn of_dispatch(role: &str, bits: usize, prefix: &[u8]) -> Self {
        Self(format!("{PREFIX}D-{}", digest(&[role.as_bytes(), &bits.to_be_bytes(), prefix])))
    }
}

impl fmt::Display for ChainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of the list of clients that an endpoint of a service port has.
pub(super) fn list_of_clients(name: &ServicePortName, endpoint: SocketAddr) -> String {
    format!("{PREFIX}{}", digest(&[b"clients", &service_port(name), endpoint.to_string().as_bytes()]))
}

fn service_port(name: &ServicePortName) -> Vec<u8> {
    let service = name.service.to_string();
    [&service.len().to_be_bytes(), service.as_bytes(), name.port.as_bytes()].concat()
}

/// 100 bits of a SHA-256 of the parts and their lengths, in letters and digits: users choose names, and must not be able to
/// choose two that meet. iptables allows 28 characters.
fn digest(parts: &[&[u8]]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(20).map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_name_that_a_user_chooses_leaves_its_mark_on_a_chain(port in ".*", service in "[a-z]{1,8}") {
            let service = format!("services/shop/{service}").parse().expect("a key");
            let name = ServicePortName { service, port };
            let endpoint = ([10, 1, 0, 1], 80).into();
            let names = [
                ChainName::of_service(&name, TrafficPolicy::Local).to_string(),
                ChainName::of_service(&name, TrafficPolicy::Cluster).to_string(),
                ChainName::of_endpoint(&name, endpoint).to_string(),
                list_of_clients(&name, endpoint),
            ];
            for name in names {
                prop_assert!(name.len() <= 28, "{name}");
                let plain = |letter: u8| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == b'-';
                prop_assert!(name.starts_with(PREFIX) && name.bytes().all(plain), "{name}");
            }
        }
    }

    #[test]
    fn where_one_part_of_a_name_ends_makes_a_difference() {
        let name = |service: &str, port: &str| ServicePortName {
            service: format!("services/shop/{service}").parse().expect("a key"),
            port: port.to_owned(),
        };
        let chain = |service, port| ChainName::of_service(&name(service, port), TrafficPolicy::Cluster);
        assert_ne!(chain("ab", "c"), chain("a", "bc"));
    }
}
