//! What tables have to be told of a [`Family`].

use crate::family::Family;

impl Family {
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
