//! [`Family`]: what differs between IPv4 and IPv6.

use std::net::IpAddr;

/// A family of addresses. Each has a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const ALL: [Self; 2] = [Self::V4, Self::V6];

    pub(super) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    pub(super) fn has(self, address: IpAddr) -> bool {
        Self::of(address) == self
    }

    /// The kernel's number of it.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

    /// The length of an address, in bytes.
    pub(super) fn address_len(self) -> u32 {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }

    /// Where the source and the destination address are in the header, in bytes.
    pub(super) fn address_offsets(self) -> (u32, u32) {
        match self {
            Self::V4 => (12, 16),
            Self::V6 => (8, 24),
        }
    }

    /// The code of the message that says that a port cannot be reached.
    pub(super) fn port_unreachable(self) -> u8 {
        match self {
            Self::V4 => 3,
            Self::V6 => 4,
        }
    }

    /// What `ct` calls the destination address of a connection.
    pub(super) fn connection_destination(self) -> u32 {
        match self {
            Self::V4 => 20,
            Self::V6 => 22,
        }
    }

    /// What the program `nft` calls the type of an address.
    pub(super) fn address_type(self) -> u32 {
        match self {
            Self::V4 => 7,
            Self::V6 => 8,
        }
    }
}
