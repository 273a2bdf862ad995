//! The sockets of one address.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, UdpSocket};

use super::DnsError;

/// The sockets of one address, which has the same port for both.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) address: SocketAddr,
    pub(super) udp: UdpSocket,
    pub(super) tcp: TcpListener,
}

/// How many connections the kernel keeps waiting for this process to accept them.
const BACKLOG: u32 = 256;

/// How often another port is tried where any will do and the one that UDP was given is taken for TCP.
const TRIES: usize = 16;

/// Takes an address.
pub(super) async fn bind(address: SocketAddr) -> Result<Pair, DnsError> {
    let mut tries = if address.port() == 0 { TRIES } else { 1 };
    loop {
        tries -= 1;
        match bind_once(address).await {
            Ok(pair) => return Ok(pair),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            Err(error) => return Err(refused(error, address)),
        }
    }
}

async fn bind_once(address: SocketAddr) -> io::Result<Pair> {
    let udp = UdpSocket::bind(address).await?;
    let address = udp.local_addr()?;
    let tcp = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Lets the address be taken while connections of an earlier server wait to be forgotten.
    tcp.set_reuseaddr(true)?;
    tcp.bind(address)?;
    Ok(Pair { address, udp, tcp: tcp.listen(BACKLOG)? })
}

fn refused(error: io::Error, address: SocketAddr) -> DnsError {
    match error.kind() {
        io::ErrorKind::AddrInUse => DnsError::AddressInUse { address },
        io::ErrorKind::PermissionDenied => DnsError::NotAllowed { address },
        _ => DnsError::Unavailable { address, source: error },
    }
}

/// Whether what is sent to `to` comes in at one of `addresses`, as far as that can be seen: who listens at every address
/// of the node listens at its loopback ones.
pub(super) fn is_ours(addresses: &[SocketAddr], to: SocketAddr) -> bool {
    addresses.iter().any(|address| {
        let local = to.ip().is_loopback() || to.ip().is_unspecified();
        address.port() == to.port() && (address.ip() == to.ip() || (address.ip().is_unspecified() && local))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_at_every_address_is_also_at_loopback() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert!(is_ours(&[at("0.0.0.0:53")], at("127.0.0.1:53")));
        assert!(is_ours(&[at("10.0.0.1:53")], at("10.0.0.1:53")));
        assert!(!is_ours(&[at("127.0.0.1:53")], at("127.0.0.1:54")));
        assert!(!is_ours(&[at("127.0.0.1:53")], at("127.0.0.53:53")));
        assert!(!is_ours(&[at("0.0.0.0:53")], at("8.8.8.8:53")));
    }
}
