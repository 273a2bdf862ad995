//! [`MemoryRoutes`]: says where a packet would go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use orch_core::network::{Cidr, HostTable, PodRoutes, RoutesError, RoutesReport};
use tokio::sync::watch;
use tokio::time::Instant;

/// Routes without a network, for tests and simulations: they stand in a [`MemoryNetwork`].
#[derive(Debug, Default)]
pub struct MemoryRoutes {
    network: MemoryNetwork,
    one_at_a_time: tokio::sync::Mutex<()>,
}

/// The network of one host, in memory. Copies are of the same one: it is there longer than the routes that are set in it.
#[derive(Clone, Debug, Default)]
pub struct MemoryNetwork(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    routes: Mutex<BTreeMap<Cidr, Route>>,
    /// Counts what others did.
    deeds: watch::Sender<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    to: IpAddr,
    /// The host whose pods it leads to; `None` if it is of others.
    host: Option<String>,
}

impl MemoryNetwork {
    /// The host that a packet to `address` is sent to, by its address. `None` if it goes nowhere.
    #[must_use]
    pub fn next_hop(&self, address: IpAddr) -> Option<IpAddr> {
        let routes = self.routes();
        let matching = routes.iter().filter(|(range, _)| range.place(address).is_some());
        matching.max_by_key(|(range, _)| range.bits()).map(|(_, route)| route.to)
    }

    /// Sets a route as others do, in place of any to the same range. With `of_ours` it looks like one of [`MemoryRoutes`], as
    /// if somebody had altered theirs.
    pub fn set_route(&self, range: Cidr, to: IpAddr, of_ours: bool) {
        let host = of_ours.then(String::new);
        self.routes().insert(range, Route { to, host });
        self.0.deeds.send_modify(|count| *count += 1);
    }

    /// Removes a route as others do, whoever set it.
    pub fn remove_route(&self, range: &Cidr) {
        self.routes().remove(range);
        self.0.deeds.send_modify(|count| *count += 1);
    }

    /// The routes that others set, each with where it leads.
    #[must_use]
    pub fn routes_of_others(&self) -> BTreeMap<Cidr, IpAddr> {
        let routes = self.routes();
        let others = routes.iter().filter(|(_, route)| route.host.is_none());
        others.map(|(range, route)| (*range, route.to)).collect()
    }

    fn routes(&self) -> MutexGuard<'_, BTreeMap<Cidr, Route>> {
        self.0.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryRoutes {
    /// Routes in this network. Those that an earlier one left there are taken over.
    #[must_use]
    pub fn new(network: MemoryNetwork) -> Self {
        Self { network, one_at_a_time: tokio::sync::Mutex::default() }
    }

    /// The network that they are set in.
    #[must_use]
    pub fn network(&self) -> &MemoryNetwork {
        &self.network
    }
}

#[async_trait]
impl PodRoutes for MemoryRoutes {
    async fn sync(&self, table: Arc<HostTable>) -> Result<RoutesReport, RoutesError> {
        let start = Instant::now();
        table.validate()?;
        let _one_at_a_time = self.one_at_a_time.lock().await;
        let wanted = wanted(&table);
        let mut routes = self.network.routes();
        refuse_occupied(&wanted, &routes)?;
        let before = std::mem::take(&mut *routes);
        let (old, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            before.into_iter().partition(|(_, route)| route.host.is_some());
        let ranges: BTreeSet<_> = old.keys().chain(wanted.keys()).collect();
        let both = |range: &Cidr| [old.get(range), wanted.get(range)];
        let changed = ranges.into_iter().map(both).filter(|[old, new]| old != new);
        let hosts: BTreeSet<_> = changed.flatten().flatten().filter_map(|route| route.host.clone()).collect();
        // One that others altered is nobody's.
        let hosts = hosts.iter().filter(|host| !host.is_empty()).count();
        *routes = others.into_iter().chain(wanted).collect();
        Ok(RoutesReport { hosts, shared: false, took: start.elapsed() })
    }

    async fn clear(&self) -> Result<(), RoutesError> {
        let _one_at_a_time = self.one_at_a_time.lock().await;
        self.network.routes().retain(|_, route| route.host.is_none());
        Ok(())
    }

    fn drifted(&self) -> BoxStream<'static, ()> {
        let deeds = self.network.0.deeds.subscribe();
        let next = |mut deeds: watch::Receiver<u64>| async { deeds.changed().await.ok().map(|()| ((), deeds)) };
        stream::unfold(deeds, next).boxed()
    }
}

fn wanted(table: &HostTable) -> BTreeMap<Cidr, Route> {
    let of_host = |(name, host): (&str, &orch_core::network::Host)| {
        let lead = |range: &Cidr| Some((*range, Route { to: host.address_for(range)?, host: Some(name.to_owned()) }));
        host.pod_ranges.iter().filter_map(lead).collect::<Vec<_>>()
    };
    table.others().flat_map(of_host).collect()
}

fn refuse_occupied(wanted: &BTreeMap<Cidr, Route>, routes: &BTreeMap<Cidr, Route>) -> Result<(), RoutesError> {
    let others = routes.iter().filter(|(_, route)| route.host.is_none());
    for (range, theirs) in others {
        let Some(host) = wanted.get(range).and_then(|route| route.host.clone()) else { continue };
        let message = format!(
            "somebody else leads its pod range {range} to {}: remove that route if nobody needs it, or give the host another \
             range",
            theirs.to
        );
        return Err(RoutesError::Occupied { host, range: *range, message });
    }
    Ok(())
}
