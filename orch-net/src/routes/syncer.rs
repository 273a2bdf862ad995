//! [`Syncer`]: what both kinds of routes do alike: look, plan, change, and go back where that fails.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use orch_core::network::{HostTable, RoutesError, RoutesReport};
use rtnetlink::{Handle, MulticastGroup};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};

use super::kernel::{Kernel, Through};
use super::model::{Observed, Wanted};
use super::plan::{Change, plan};

/// What comes at once when others change something is looked at once.
const SETTLED_AFTER: Duration = Duration::from_millis(250);

/// How a table is to be made true.
pub(super) trait Kind: Debug + Send + Sync + 'static {
    /// What there should be.
    fn wanted(&self, table: &HostTable, observed: &Observed) -> Result<Wanted, RoutesError>;
}

#[derive(Debug)]
pub(super) struct Syncer<K>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    kind: K,
    kernel: Kernel,
    check_every: Duration,
    /// The table that holds, and what it came to. Locked as long as the kernel is spoken to.
    held: Mutex<Option<(Arc<HostTable>, Wanted)>>,
    /// Counts what was told of changes, by anybody.
    told: watch::Receiver<u64>,
    /// With it the telling ends.
    _teller: Handle,
}

impl<K: Kind> Syncer<K> {
    pub(super) fn open(kind: K, check_every: Duration) -> Result<Self, RoutesError> {
        let kernel = Kernel::open()?;
        let (told, teller) = listen()?;
        Ok(Self(Arc::new(Inner { kind, kernel, check_every, held: Mutex::default(), told, _teller: teller })))
    }

    pub(super) async fn sync(&self, table: Arc<HostTable>) -> Result<RoutesReport, RoutesError> {
        table.validate()?;
        let inner = Arc::clone(&self.0);
        to_the_end(async move { inner.sync(table).await }).await
    }

    pub(super) async fn clear(&self) -> Result<(), RoutesError> {
        let inner = Arc::clone(&self.0);
        to_the_end(async move { inner.clear().await }).await
    }

    pub(super) fn drifted(&self) -> BoxStream<'static, ()> {
        let state = (Arc::downgrade(&self.0), self.0.told.clone(), self.0.check_every);
        let next = |(inner, mut told, every): (Weak<Inner<K>>, watch::Receiver<u64>, Duration)| async move {
            loop {
                match timeout(every, told.changed()).await {
                    Ok(Ok(())) => sleep(SETTLED_AFTER).await,
                    // Nothing is told any more: the host is looked at now and then all the same.
                    Ok(Err(_)) => sleep(every).await,
                    Err(_) => {}
                }
                told.mark_unchanged();
                let inner = inner.upgrade()?;
                if inner.is_altered().await {
                    break;
                }
            }
            Some(((), (inner, told, every)))
        };
        stream::unfold(state, next).boxed()
    }
}

/// Does something that is done even if nobody waits any more: a listing that is broken off stands in the way of the next.
async fn to_the_end<T: Send + 'static>(
    act: impl Future<Output = Result<T, RoutesError>> + Send + 'static,
) -> Result<T, RoutesError> {
    tokio::spawn(act).await.unwrap_or_else(|error| {
        let message = format!("a task ended early: {error}");
        Err(RoutesError::Unavailable { message, transient: true, source: Some(Box::new(error)) })
    })
}

impl<K: Kind> Inner<K> {
    async fn sync(&self, table: Arc<HostTable>) -> Result<RoutesReport, RoutesError> {
        let start = Instant::now();
        let mut held = self.held.lock().await;
        let observed = self.kernel.observe().await?;
        let wanted = self.kind.wanted(&table, &observed)?;
        let changes = plan(&observed, &wanted)?;
        let before = held.as_ref().map(|(_, wanted)| wanted);
        let (hosts, shared) = count(&changes, &wanted, before);
        self.make(&changes, &observed, &wanted).await?;
        *held = Some((table, wanted));
        Ok(RoutesReport { hosts, shared, took: start.elapsed() })
    }

    async fn clear(&self) -> Result<(), RoutesError> {
        let mut held = self.held.lock().await;
        *held = None;
        let observed = self.kernel.observe().await?;
        let mut through = Through::default();
        for change in plan(&observed, &Wanted::default())? {
            self.kernel.make(&change, &mut through).await?;
        }
        Ok(())
    }

    /// Makes the changes, all of them or none.
    async fn make(&self, changes: &[Change], observed: &Observed, wanted: &Wanted) -> Result<(), RoutesError> {
        let mut through = Through::of(observed, wanted);
        for change in changes {
            let Err(error) = self.kernel.make(change, &mut through).await else { continue };
            if let Err(why) = self.go_back(observed).await {
                tracing::warn!(%why, "pod routes are half changed until the next sync");
            }
            return Err(error);
        }
        Ok(())
    }

    /// Puts back what was there before a change failed half-way.
    async fn go_back(&self, before: &Observed) -> Result<(), RoutesError> {
        let wanted = Wanted::as_observed(before);
        let observed = self.kernel.observe().await?;
        let mut through = Through::of(&observed, &wanted);
        let mut result = Ok(());
        for change in plan(&observed, &wanted)? {
            result = result.and(self.kernel.make(&change, &mut through).await);
        }
        result
    }

    /// Whether what holds is not there any more as it should be.
    async fn is_altered(&self) -> bool {
        let held = self.held.lock().await;
        let Some((table, _)) = &*held else { return false };
        let look = async {
            let observed = self.kernel.observe().await?;
            let wanted = self.kind.wanted(table, &observed)?;
            plan(&observed, &wanted)
        };
        // Whatever is in the way now, the next sync tells its owner.
        look.await.map_or(true, |changes| !changes.is_empty())
    }
}

/// For how many hosts there is a change, and whether there is one that they share.
fn count(changes: &[Change], wanted: &Wanted, before: Option<&Wanted>) -> (usize, bool) {
    let both = || [Some(wanted), before].into_iter().flatten();
    let (mut hosts, mut shared) = (BTreeSet::new(), false);
    for change in changes {
        match change {
            Change::AddRoute { range, .. } | Change::ReplaceRoute { range, .. } => {
                hosts.extend(both().filter_map(|wanted| Some(wanted.leads.get(range)?.host.clone())));
            }
            Change::RemoveRoute(route) => {
                let known: Vec<_> =
                    both().filter_map(|wanted| Some(wanted.leads.get(&route.range)?.host.clone())).collect();
                // Of a host that only an earlier process knew.
                let unknown = known.is_empty().then(|| format!("{:?}", route.via));
                hosts.extend(known.into_iter().chain(unknown));
            }
            Change::SetForward { mac, .. } | Change::SetNeighbour { mac, .. } => {
                hosts.extend(both().filter_map(|wanted| wanted.host_of(*mac)).map(str::to_owned));
            }
            Change::RemoveForward(forward) => {
                hosts.extend(both().filter_map(|wanted| wanted.host_of(forward.mac)).map(str::to_owned));
            }
            Change::RemoveNeighbour(neighbour) => {
                hosts.extend(both().filter_map(|wanted| wanted.host_of(neighbour.mac)).map(str::to_owned));
            }
            _ => shared = true,
        }
    }
    (hosts.len(), shared)
}

/// Counts what the kernel tells of changes of devices, addresses, routes and neighbours, as long as the handle is there.
fn listen() -> Result<(watch::Receiver<u64>, Handle), RoutesError> {
    let groups = [
        MulticastGroup::Link,
        MulticastGroup::Neigh,
        MulticastGroup::Ipv4Ifaddr,
        MulticastGroup::Ipv6Ifaddr,
        MulticastGroup::Ipv4Route,
        MulticastGroup::Ipv6Route,
        MulticastGroup::Ipv4Netconf,
        MulticastGroup::Ipv6Netconf,
    ];
    let (connection, handle, mut messages) = rtnetlink::new_multicast_connection(&groups).map_err(|error| {
        let message = format!("cannot listen to netlink: {error}");
        RoutesError::Unavailable { message, transient: true, source: Some(Box::new(error)) }
    })?;
    let (teller, told) = watch::channel(0);
    tokio::spawn(connection);
    tokio::spawn(async move {
        while messages.next().await.is_some() && !teller.is_closed() {
            teller.send_modify(|count| *count += 1);
        }
    });
    Ok((told, handle))
}
