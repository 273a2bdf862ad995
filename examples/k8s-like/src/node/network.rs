//! [`PodNetworkKind`]: what network the pods of a node have.

use std::io;
use std::net::IpAddr;

use futures::TryStreamExt as _;
use nix::unistd::geteuid;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::LinkAttribute;

use crate::runtimes::RuntimeKind;

/// What network pods have, as it is said on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum PodNetworkKind {
    /// Each its own, on a bridge, with an address of the node's range. Needs root
    Bridge,
    /// The node's own; for pods that are processes
    Host,
}

impl PodNetworkKind {
    /// What was chosen, or else what can be had: a node at a loopback address is for a trial on one machine.
    pub(super) fn chosen(
        chosen: Option<Self>,
        runtime: RuntimeKind,
        node_ip: IpAddr,
    ) -> Result<Self, PodNetworkChoiceError> {
        let is_root = geteuid().is_root();
        match (chosen, runtime) {
            (Some(Self::Bridge), _) if !is_root => Err(PodNetworkChoiceError::NotRoot),
            (Some(Self::Host), RuntimeKind::Docker | RuntimeKind::Containerd) => {
                Err(PodNetworkChoiceError::NotHost { runtime: runtime.word() })
            }
            (Some(chosen), _) => Ok(chosen),
            (None, RuntimeKind::Containerd) => Ok(Self::Bridge),
            (None, _) if is_root && !node_ip.is_loopback() => Ok(Self::Bridge),
            (None, _) => Ok(Self::Host),
        }
    }
}

/// How large a packet the link with this address carries.
pub(super) async fn link_mtu(address: IpAddr) -> io::Result<Option<u32>> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    let failed = |error: rtnetlink::Error| io::Error::other(error.to_string());
    let addresses: Vec<_> = handle.address().get().execute().try_collect().await.map_err(failed)?;
    let has = |attribute: &AddressAttribute| match attribute {
        AddressAttribute::Local(local) => *local == address,
        AddressAttribute::Address(other) => address.is_ipv6() && *other == address,
        _ => false,
    };
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let found = addresses.iter().find(|found| found.header.family == family && found.attributes.iter().any(has));
    let Some(index) = found.map(|found| found.header.index) else { return Ok(None) };
    let link = handle.link().get().match_index(index).execute().try_next().await.map_err(failed)?;
    let attributes = link.into_iter().flat_map(|link| link.attributes);
    Ok(attributes.into_iter().find_map(|attribute| match attribute {
        LinkAttribute::Mtu(mtu) => Some(mtu),
        _ => None,
    }))
}

/// Why pods cannot have that network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PodNetworkChoiceError {
    /// The kernel obeys root alone.
    #[error("--pod-network bridge needs root: run as root, or leave it out, and pods have their node's network")]
    NotRoot,
    /// Containers have networks of their own.
    #[error(
        "--pod-network host is for --runtime process: with --runtime {runtime} a pod has its node's network if it says \
         hostNetwork: true"
    )]
    NotHost { runtime: &'static str },
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn what_cannot_be_is_refused_with_what_to_choose() {
        let chosen = |kind, runtime| PodNetworkKind::chosen(kind, runtime, Ipv4Addr::LOCALHOST.into());
        let error = chosen(Some(PodNetworkKind::Host), RuntimeKind::Docker).expect_err("refused").to_string();
        assert!(error.contains("--runtime process") && error.contains("hostNetwork: true"), "{error}");
        assert_eq!(chosen(None, RuntimeKind::Process).expect("a trial"), PodNetworkKind::Host);
        assert_eq!(chosen(None, RuntimeKind::Containerd).expect("no choice"), PodNetworkKind::Bridge);
        let bridge = chosen(Some(PodNetworkKind::Bridge), RuntimeKind::Process);
        assert_eq!(bridge.is_ok(), geteuid().is_root());
    }

    #[tokio::test]
    async fn the_size_of_packets_is_that_of_the_device_with_the_address() {
        assert_eq!(link_mtu(Ipv4Addr::LOCALHOST.into()).await.expect("asked"), Some(65_536));
        assert_eq!(link_mtu(Ipv4Addr::new(192, 0, 2, 7).into()).await.expect("asked"), None);
    }
}
