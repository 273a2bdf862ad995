//! [`RoutesHandle`]: what leads to pods of other nodes on this machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::geteuid;
use orch_core::network::{PodRoutes, RoutesError};
use orch_net::{DirectConfig, DirectRoutes, VxlanConfig, VxlanRoutes};

use crate::layout::Layout;

/// What leads to pods of other nodes, as it is said on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum RoutesKind {
    /// Routes to the nodes themselves: for nodes that share a link, as on one switch. Those behind routers need vxlan
    Direct,
    /// A tunnel, UDP port 4789, to nodes anywhere: for nodes that share no link. Not encrypted; choose it on all of them
    Vxlan,
    /// Nothing: somebody else does it
    None,
}

/// Leads to pods of other nodes on this machine, and leaves nothing behind.
///
/// What the kernel was told stays when this program is killed, and leads on. So it is written down in the state folder that
/// something was: the next run takes over what it finds, or removes it.
#[derive(Debug)]
pub(crate) struct RoutesHandle {
    routes: Option<Arc<dyn PodRoutes>>,
    record: PathBuf,
}

/// What VXLAN puts around a packet between hosts that speak IPv4.
const VXLAN_OVERHEAD: u32 = 50;

impl RoutesKind {
    /// How large packets of pods may be, where the link carries packets of this size.
    pub(crate) fn pod_mtu(self, link: u32) -> Option<u32> {
        (self == Self::Vxlan).then(|| link.saturating_sub(VXLAN_OVERHEAD))
    }

    /// Before anything is started: whether it can be had.
    pub(crate) fn check(self) -> Result<(), RoutesOpenError> {
        if self == Self::None || geteuid().is_root() {
            return Ok(());
        }
        Err(RoutesOpenError::NotRoot)
    }
}

impl RoutesHandle {
    /// Routes that lead nowhere yet; those of an earlier run lead on until the first table. `check_every`: how often they are
    /// looked at, if not as often as usual.
    pub(crate) async fn open(
        kind: RoutesKind,
        layout: &Layout,
        check_every: Option<Duration>,
    ) -> Result<Self, RoutesOpenError> {
        let record = layout.state_dir().join("routes");
        let routes: Option<Arc<dyn PodRoutes>> = match kind {
            RoutesKind::Direct => {
                let usual = DirectConfig::default();
                let config = DirectConfig { check_every: check_every.unwrap_or(usual.check_every) };
                Some(Arc::new(DirectRoutes::open(&config)?))
            }
            RoutesKind::Vxlan => {
                let usual = VxlanConfig::default();
                let config = VxlanConfig { check_every: check_every.unwrap_or(usual.check_every), ..usual };
                Some(Arc::new(VxlanRoutes::open(config)?))
            }
            RoutesKind::None => None,
        };
        let handle = Self { routes, record };
        if handle.routes.is_some() {
            let failed = |source| RoutesOpenError::Record { file: handle.record.clone(), source };
            std::fs::write(&handle.record, "").map_err(failed)?;
        } else if handle.record.exists() {
            // Each kind knows what any of them made.
            DirectRoutes::open(&DirectConfig::default())?.clear().await?;
            let _ = std::fs::remove_file(&handle.record);
        }
        Ok(handle)
    }

    /// What is shown the nodes.
    pub(crate) fn routes(&self) -> Option<&Arc<dyn PodRoutes>> {
        self.routes.as_ref()
    }

    /// Leads nowhere any more, and leaves nothing of it on this machine.
    pub(crate) async fn clear(self) -> Result<(), RoutesError> {
        if let Some(routes) = self.routes {
            routes.clear().await?;
            // The next run looks at it again, and finds nothing to remove.
            let _ = std::fs::remove_file(self.record);
        }
        Ok(())
    }
}

/// Why nothing leads to pods of other nodes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RoutesOpenError {
    /// The kernel obeys root alone.
    #[error("--pod-routes needs root: run as root, or choose --pod-routes none")]
    NotRoot,
    /// The routes' own.
    #[error(transparent)]
    Routes(#[from] RoutesError),
    /// The state folder.
    #[error("cannot write {}: {source}", file.display())]
    Record { file: PathBuf, source: std::io::Error },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_pods_fit_into_what_carries_them() {
        assert_eq!(RoutesKind::Vxlan.pod_mtu(1500), Some(1450));
        assert_eq!(RoutesKind::Direct.pod_mtu(1500), None);
    }
}
