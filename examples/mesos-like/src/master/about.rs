//! [`About`]: what a master is, whatever it knows.

use std::collections::BTreeMap;
use std::net::IpAddr;

use orch_core::clock::Timestamp;
use orch_core::entropy::Entropy;
use orch_core::object::Uid;

use super::flags::MasterFlags;
use crate::wire::operator::VersionInfo;
use crate::wire::{Address, MasterCapability, MasterCapabilityType, MasterInfo};

/// The version of Mesos whose clients this is for.
pub const VERSION: &str = "1.11.0";

/// What a master is.
#[derive(Clone, Debug)]
pub struct About {
    /// As others know it.
    pub info: MasterInfo,
    /// How it was started.
    pub flags: MasterFlags,
    /// The same as they are shown.
    pub shown_flags: BTreeMap<&'static str, String>,
    /// When it was started.
    pub started: Timestamp,
}

impl About {
    /// A master that was started now so, and listens on a port.
    #[must_use]
    pub fn new(flags: MasterFlags, port: u16, started: Timestamp, entropy: &dyn Entropy) -> Self {
        let ip = flags.advertise_ip.unwrap_or(flags.ip);
        let port = flags.advertise_port.unwrap_or(port);
        let hostname = flags.hostname.clone().unwrap_or_else(|| ip.to_string());
        let capability = |capability: MasterCapabilityType| MasterCapability { r#type: Some(capability.into()) };
        let capabilities =
            [MasterCapabilityType::AgentUpdate, MasterCapabilityType::AgentDraining, MasterCapabilityType::QuotaV2];
        let info = MasterInfo {
            id: Uid::random(entropy).to_string(),
            ip: number(ip),
            port: port.into(),
            pid: Some(format!("master@{}", with_port(ip, port))),
            hostname: Some(hostname.clone()),
            version: Some(VERSION.to_owned()),
            address: Some(Address { hostname: Some(hostname), ip: Some(ip.to_string()), port: port.into() }),
            domain: flags.domain.clone(),
            capabilities: capabilities.map(capability).into(),
        };
        Self { info, shown_flags: flags.shown(), flags, started }
    }

    /// Which program it is.
    #[must_use]
    pub fn version() -> VersionInfo {
        VersionInfo { version: VERSION.to_owned(), ..VersionInfo::default() }
    }
}

/// Where a master is asked: its name and its port.
#[must_use]
pub fn authority(master: &MasterInfo) -> String {
    let address = master.address.as_ref();
    let ip = address.and_then(|address| address.ip.as_deref()).and_then(|ip| ip.parse().ok());
    match (ip, u16::try_from(master.port)) {
        (Some(ip), Ok(port)) => with_port(ip, port),
        _ => format!("{}:{}", master.hostname.clone().unwrap_or_default(), master.port),
    }
}

fn with_port(ip: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(ip, port).to_string()
}

/// An address as Mesos has it in a number: as it lies in the memory of a machine that begins with the lowest byte.
fn number(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(ip) => u32::from_le_bytes(ip.octets()),
        IpAddr::V6(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_masters_are_asked() {
        let address = |ip: &str| Some(Address { ip: Some(ip.to_owned()), ..Address::default() });
        let master = |ip: &str| MasterInfo { address: address(ip), port: 5050, ..MasterInfo::default() };
        assert_eq!(authority(&master("127.0.0.1")), "127.0.0.1:5050");
        assert_eq!(authority(&master("::1")), "[::1]:5050");
        let named = MasterInfo { hostname: Some("m".to_owned()), port: 1, ..MasterInfo::default() };
        assert_eq!(authority(&named), "m:1");
        assert_eq!(number(IpAddr::from([127, 0, 0, 1])), 0x0100_007f);
    }
}
