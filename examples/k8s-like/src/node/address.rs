//! [`own_address`]: by which address other hosts reach this one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// An address of nobody (RFC 5737), so the way there is the default route.
const ANYWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The address that was chosen, if it is this machine's; or else that of the device with the default route.
pub(super) fn own_address(chosen: Option<IpAddr>) -> Result<IpAddr, AddressError> {
    match chosen {
        Some(address) if address.is_unspecified() || address.is_multicast() => Err(AddressError::NoOnes { address }),
        Some(address) => {
            // Nobody is told: the socket is closed at once.
            UdpSocket::bind((address, 0)).map_err(|source| AddressError::NotOurs { address, source })?;
            Ok(address)
        }
        None => by_default().map_err(|source| AddressError::Unknown { source }),
    }
}

/// Which address Linux would send from. Connecting a socket for datagrams sends nothing.
fn by_default() -> io::Result<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(ANYWHERE)?;
    Ok(socket.local_addr()?.ip())
}

/// Why a node has no address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AddressError {
    /// There is no default route.
    #[error(
        "cannot tell by which address other hosts reach this one, for it has no default route ({source}): choose one of its \
         addresses with --node-ip"
    )]
    Unknown { source: io::Error },
    /// It is not an address of one host.
    #[error("--node-ip {address} is not the address of one host: choose one by which other hosts reach this one")]
    NoOnes { address: IpAddr },
    /// It is another host's.
    #[error("--node-ip {address} is no address of this machine ({source}): `ip address` lists those there are")]
    NotOurs { address: IpAddr, source: io::Error },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_chosen_must_be_this_machines() {
        assert_eq!(own_address(Some(Ipv4Addr::LOCALHOST.into())).expect("ours"), Ipv4Addr::LOCALHOST);
        for (address, said) in [("0.0.0.0", "one host"), ("224.0.0.1", "one host"), ("192.0.2.1", "no address of this")]
        {
            let error = own_address(Some(address.parse().expect("an address"))).expect_err(address).to_string();
            assert!(error.contains(said) && error.contains(address), "{error}");
        }
    }
}
