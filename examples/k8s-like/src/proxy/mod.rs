//! [`ProxyHandle`]: what leads to services on this machine.

mod choice;
mod kernel;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orch_core::network::Cidr;
use orch_core::proxy::{ProxyError, ServiceProxy};
use orch_net::{
    InvalidTableName, IptablesConfig, IptablesProxy, NftablesConfig, NftablesProxy, UserspaceConfig, UserspaceProxy,
};

pub(crate) use self::choice::{ProxyChoiceError, ProxyKind};
pub(crate) use self::kernel::lacking;
use crate::layout::Layout;
use crate::local_range;

/// Leads to services on this machine, and leaves nothing behind.
///
/// What the kernel was told stays when this program is killed, and serves on. So which proxy served is written down in the
/// state folder: the next run with the same one takes over what it finds, with another one it is removed first.
#[derive(Debug)]
pub(crate) struct ProxyHandle {
    kind: ProxyKind,
    proxy: Arc<dyn ServiceProxy>,
    services: Cidr,
    record: PathBuf,
    /// Keeps others from iptables, where this proxy has it.
    _alone: Option<UnixListener>,
}

/// What a proxy must know of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProxyContext {
    /// The addresses of services.
    pub(crate) services: Cidr,
    /// The addresses of pods, where those have networks of their own.
    pub(crate) pods: Option<Cidr>,
    /// The addresses of this node at which node ports are served, besides 127.0.0.1. The kernel serves at all but that one.
    pub(crate) node: Option<IpAddr>,
    /// How often rules of the kernel are looked at, if not as often as usual.
    pub(crate) check_every: Option<Duration>,
}

/// Chains of iptables have the same names in every cluster, so one at a time has them. The name is of a socket without a
/// file: Linux keeps those apart by network, as it does the chains.
const IPTABLES_LOCK: &str = "orch-k8s-like-iptables";

impl ProxyHandle {
    /// A proxy that serves nothing yet. What an earlier one of the same kind left serves on until the first table.
    pub(crate) async fn open(kind: ProxyKind, layout: &Layout, context: &ProxyContext) -> Result<Self, ProxyOpenError> {
        let record = layout.state_dir().join("proxy");
        let written = std::fs::read_to_string(&record).unwrap_or_default();
        for former in ProxyKind::ALL.into_iter().filter(|former| *former != kind && former.word() == written.trim()) {
            let (proxy, alone) = made(former, layout, context)?;
            clear(former, &*proxy, context.services)
                .await
                .map_err(|source| ProxyOpenError::Former { former, source })?;
            drop(alone);
        }
        let (proxy, alone) = made(kind, layout, context)?;
        std::fs::write(&record, kind.word())
            .map_err(|source| ProxyOpenError::Record { file: record.clone(), source })?;
        if needs_route(kind, context.services) {
            let failed = |source| ProxyOpenError::NotLocal { range: context.services, source };
            local_range::add(context.services).await.map_err(failed)?;
        }
        Ok(Self { kind, proxy, services: context.services, record, _alone: alone })
    }

    /// What is shown the services.
    pub(crate) fn proxy(&self) -> &Arc<dyn ServiceProxy> {
        &self.proxy
    }

    /// Serves nothing any more, and leaves nothing of it on this machine.
    pub(crate) async fn clear(self) -> Result<(), ProxyError> {
        clear(self.kind, &*self.proxy, self.services).await?;
        // The next run looks at it again, and finds nothing to remove.
        let _ = std::fs::remove_file(self.record);
        Ok(())
    }
}

/// A proxy of a kind, and what keeps it alone on this machine if it must be.
fn made(
    kind: ProxyKind,
    layout: &Layout,
    context: &ProxyContext,
) -> Result<(Arc<dyn ServiceProxy>, Option<UnixListener>), ProxyOpenError> {
    Ok(match kind {
        ProxyKind::Userspace => {
            let node_addresses: BTreeSet<IpAddr> =
                [Some(Ipv4Addr::LOCALHOST.into()), context.node].into_iter().flatten().collect();
            let config = UserspaceConfig { node_addresses, ..UserspaceConfig::default() };
            (Arc::new(UserspaceProxy::new(config)), None)
        }
        ProxyKind::Iptables => {
            let alone = SocketAddr::from_abstract_name(IPTABLES_LOCK).and_then(|name| UnixListener::bind_addr(&name));
            let alone = alone.map_err(|source| match source.kind() {
                io::ErrorKind::AddrInUse => ProxyOpenError::IptablesInUse,
                _ => ProxyOpenError::Lock { source },
            })?;
            let pods = context.pods.and_then(|range| Some((range.address(0)?, range.bits())));
            let usual = IptablesConfig::default();
            let check_interval = context.check_every.or(usual.check_interval);
            let config = IptablesConfig { pod_networks: pods.into_iter().collect(), check_interval, ..usual };
            (Arc::new(IptablesProxy::new(config)), Some(alone))
        }
        ProxyKind::Nftables => {
            let usual = NftablesConfig::default();
            let check_every = context.check_every.unwrap_or(usual.check_every);
            let config = NftablesConfig { table: layout.short_name().parse()?, check_every, ..usual };
            (Arc::new(NftablesProxy::new(config)), None)
        }
    })
}

async fn clear(kind: ProxyKind, proxy: &dyn ServiceProxy, services: Cidr) -> Result<(), ProxyError> {
    proxy.clear().await?;
    if needs_route(kind, services)
        && let Err(error) = local_range::remove(services).await
    {
        // Without root it was not made either.
        tracing::debug!(%error, "the services' addresses may still be this machine's");
    }
    Ok(())
}

/// Whether somebody is to listen on these addresses who can do so only if they are made this machine's own.
fn needs_route(kind: ProxyKind, services: Cidr) -> bool {
    !kind.is_kernels() && services.address(0).is_some_and(|first| !first.is_loopback())
}

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ProxyOpenError {
    /// Another cluster has the chains.
    #[error(
        "another cluster on this machine is led to by iptables, and chains of two would be mixed: choose --proxy nftables \
         or --proxy userspace for this one"
    )]
    IptablesInUse,
    /// It cannot be told whether another cluster has them.
    #[error("cannot tell whether another cluster uses iptables: {source}")]
    Lock { source: io::Error },
    /// What an earlier run told the kernel.
    #[error("an earlier run of this cluster used --proxy {former}, and what it made cannot be removed: {source}")]
    Former { former: ProxyKind, source: ProxyError },
    /// The state folder.
    #[error("cannot write {}: {source}", file.display())]
    Record { file: PathBuf, source: io::Error },
    /// Nobody can listen on the services' addresses.
    #[error(
        "services have addresses of {range}, and --proxy userspace cannot listen on them before they are this machine's \
         own: {source}; run as root, or give services loopback addresses: `k8s-like control-plane --service-cidr \
         127.96.0.0/16`"
    )]
    NotLocal { range: Cidr, source: io::Error },
    /// The layout.
    #[error(transparent)]
    Table(#[from] InvalidTableName),
}
