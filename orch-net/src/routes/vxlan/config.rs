//! [`VxlanConfig`].

use std::time::Duration;

use orch_core::network::DeviceName;

/// How [`VxlanRoutes`](super::VxlanRoutes) behave. All hosts need the same number and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VxlanConfig {
    /// The device's name; `orch-vxlan` by default.
    pub device: DeviceName,
    /// The number of the network (VNI), below 2²⁴; 79 by default. Two clusters whose hosts reach each other need two.
    pub vni: u32,
    /// The port of UDP; 4789 by default, as RFC 7348 has it and as network cards know it. (Linux' own default is 8472, from
    /// before there was a standard.)
    pub port: u16,
    /// How large a packet may be; by default as large as fits into what the link between the hosts carries. More than that is
    /// refused.
    pub mtu: Option<u32>,
    /// How often all is looked at, whether it still is as it was made; 30 s by default. What the kernel tells of is looked at
    /// right away.
    pub check_every: Duration,
}

impl Default for VxlanConfig {
    fn default() -> Self {
        let (device, check_every) = ("orch-vxlan".parse().expect("a name"), Duration::from_secs(30));
        Self { device, vni: 79, port: 4789, mtu: None, check_every }
    }
}
