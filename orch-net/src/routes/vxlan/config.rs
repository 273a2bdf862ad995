//! [`VxlanConfig`], [`DeviceName`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

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
        let (device, check_every) = (DeviceName("orch-vxlan".to_owned()), Duration::from_secs(30));
        Self { device, vni: 79, port: 4789, mtu: None, check_every }
    }
}

/// The name of a device: up to 15 of a-z, A-Z, 0-9, `-`, `_` and `.`, and a letter first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceName(String);

/// The name cannot be that of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be the name of a device: use up to 15 of a-z, A-Z, 0-9, -, _ and ., and a letter first")]
pub struct InvalidDeviceName(String);

impl FromStr for DeviceName {
    type Err = InvalidDeviceName;

    fn from_str(text: &str) -> Result<Self, InvalidDeviceName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if starts && text.len() <= 15 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidDeviceName(text.to_owned()))
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain() {
        for good in ["orch-vxlan", "a", "vxlan.79_b"] {
            assert_eq!(good.parse::<DeviceName>().expect("a name").to_string(), good);
        }
        for bad in ["", "2", "..", "a/b", "a b", "a\0", "ä", &"a".repeat(16)] {
            let error = bad.parse::<DeviceName>().expect_err(bad);
            assert!(error.to_string().contains("a letter first"), "{error}");
        }
    }
}
