//! Wrong pod routes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use orch_core::network::{Cidr, HostTable, PodRoutes, RoutesError, RoutesReport};
use tokio::sync::watch;

use crate::suite::routes::{Deed, InMemory, Landscape};

/// What is wrong with [`FlawedRoutes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Routes are only ever added: who gets a removed host's range is not reached.
    KeepsRemovedHosts,
    /// A route that is there is right: a host that moved is sent to where it was.
    KeepsOldAddresses,
    /// Only a host's first range is led.
    ForgetsFurtherRanges,
    /// The own host counts as any other: its pods are led away from it.
    LeadsTheOwnRangeAway,
    /// Only what this process set is looked at: what an earlier one left stays for ever.
    ForgetsWhatWasThereBefore,
    /// Each process begins from nothing: all hosts are cut off at a restart.
    EmptiesAtStart,
    /// Routes are set one by one until one is refused.
    AppliesUntilTheFirstError,
    /// A table that is refused counts as an empty one.
    EmptiesTheTableOnAnError,
    /// The table is remembered as held before it is.
    RemembersRefusedTables,
    /// Every sync sets everything anew: all hosts are cut off for a moment.
    SetsAllAnew,
    /// All hosts are counted, changed or not.
    CountsEverything,
    /// A table that was made true once is true: what others removed stays removed.
    TrustsItsMemory,
    /// What others do is put right, and nobody is told.
    TellsNobody,
    /// Every sync is told as if others had done it: one follows the other for ever.
    TellsItsOwnChanges,
    /// A route is a route: others' are replaced.
    ReplacesOthersRoutes,
    /// Whatever is not in the table is removed, whoever set it.
    RemovesOthersRoutes,
    /// Clearing only forgets what was held.
    LeavesRoutesBehindAtClear,
    /// Clearing removes what this process set, and nothing else.
    ClearsOnlyItsOwn,
}

impl Flaw {
    /// Every flaw, with the promise that it breaks.
    pub const ALL: [(Self, &str); 18] = [
        (Self::KeepsRemovedHosts, "R1"),
        (Self::KeepsOldAddresses, "R1"),
        (Self::ForgetsFurtherRanges, "R1"),
        (Self::LeadsTheOwnRangeAway, "R1"),
        (Self::ForgetsWhatWasThereBefore, "R1"),
        (Self::EmptiesAtStart, "R1"),
        (Self::AppliesUntilTheFirstError, "R2"),
        (Self::EmptiesTheTableOnAnError, "R2"),
        (Self::RemembersRefusedTables, "R2"),
        (Self::SetsAllAnew, "R7"),
        (Self::CountsEverything, "R3"),
        (Self::TrustsItsMemory, "R4"),
        (Self::TellsNobody, "R4"),
        (Self::TellsItsOwnChanges, "R4"),
        (Self::ReplacesOthersRoutes, "R5"),
        (Self::RemovesOthersRoutes, "R5"),
        (Self::LeavesRoutesBehindAtClear, "R6"),
        (Self::ClearsOnlyItsOwn, "R6"),
    ];
}

/// The network of a host in memory, and what is wrong with routes in it.
#[derive(Clone, Debug)]
pub struct FlawedNetwork {
    flaw: Option<Flaw>,
    routes: Arc<Mutex<BTreeMap<Cidr, Route>>>,
    deeds: watch::Sender<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    to: IpAddr,
    /// `None` if it is of others.
    host: Option<String>,
}

/// Routes with at most one flaw.
#[derive(Debug)]
pub struct FlawedRoutes {
    network: FlawedNetwork,
    held: Mutex<BTreeMap<Cidr, Route>>,
}

impl FlawedRoutes {
    /// The world around routes with this flaw, or with none.
    #[must_use]
    pub fn fixture(flaw: Option<Flaw>) -> InMemory<FlawedNetwork> {
        InMemory::new(FlawedNetwork { flaw, routes: Arc::default(), deeds: watch::Sender::new(0) })
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.network.flaw == Some(flaw)
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Cidr, Route>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(&self, table: &HostTable) -> BTreeMap<Cidr, Route> {
        let mut wanted = BTreeMap::new();
        let ranges = if self.has(Flaw::ForgetsFurtherRanges) { 1 } else { usize::MAX };
        for (name, host) in table.iter() {
            if name == table.own_name() && !self.has(Flaw::LeadsTheOwnRangeAway) {
                continue;
            }
            for range in host.pod_ranges.iter().take(ranges) {
                let Some(to) = host.address_for(range) else { continue };
                wanted.insert(*range, Route { to, host: Some(name.to_owned()) });
            }
        }
        wanted
    }

    /// Whatever is wrong with the table: of itself, or because of others.
    fn refuse(&self, table: &HostTable, wanted: &BTreeMap<Cidr, Route>) -> Result<(), RoutesError> {
        table.validate()?;
        let routes = self.network.routes();
        let theirs = routes.iter().filter(|(_, route)| route.host.is_none());
        for (range, _) in theirs.filter(|_| !self.has(Flaw::ReplacesOthersRoutes)) {
            if let Some(host) = wanted.get(range).and_then(|route| route.host.clone()) {
                return Err(RoutesError::Occupied { host, range: *range, message: "others have it".to_owned() });
            }
        }
        Ok(())
    }

    fn on_refusal(&self, wanted: BTreeMap<Cidr, Route>) {
        match self.network.flaw {
            Some(Flaw::AppliesUntilTheFirstError) => self.network.routes().extend(wanted.into_iter().rev().take(1)),
            Some(Flaw::EmptiesTheTableOnAnError) => self.network.routes().retain(|_, route| route.host.is_none()),
            Some(Flaw::RemembersRefusedTables) => *self.held() = wanted,
            _ => {}
        }
    }

    /// The routes that are taken for ours and right.
    fn known(&self) -> BTreeMap<Cidr, Route> {
        if self.has(Flaw::TrustsItsMemory) || self.has(Flaw::RemembersRefusedTables) {
            return self.held().clone();
        }
        let mut known = self.network.routes().clone();
        known.retain(|range, route| match self.network.flaw {
            Some(Flaw::RemovesOthersRoutes) => true,
            Some(Flaw::ForgetsWhatWasThereBefore) => self.held().contains_key(range),
            _ => route.host.is_some(),
        });
        known
    }
}

#[async_trait]
impl PodRoutes for FlawedRoutes {
    async fn sync(&self, table: Arc<HostTable>) -> Result<RoutesReport, RoutesError> {
        let wanted = self.wanted(&table);
        if let Err(error) = self.refuse(&table, &wanted) {
            self.on_refusal(wanted);
            return Err(error);
        }
        if self.has(Flaw::SetsAllAnew) {
            self.network.routes().retain(|_, route| route.host.is_none());
            tokio::task::yield_now().await;
        }
        let known = self.known();
        let ranges: BTreeSet<_> = known.keys().chain(wanted.keys()).copied().collect();
        let mut hosts = BTreeSet::new();
        for range in ranges {
            let (old, new) = (known.get(&range), wanted.get(&range));
            let is_kept = match (old, new) {
                (Some(_), None) => self.has(Flaw::KeepsRemovedHosts),
                (Some(_), Some(_)) => self.has(Flaw::KeepsOldAddresses),
                _ => false,
            };
            if (old == new && !self.has(Flaw::CountsEverything)) || is_kept {
                continue;
            }
            hosts.extend([old, new].into_iter().flatten().filter_map(|route| route.host.clone()));
            match new {
                Some(new) => self.network.routes().insert(range, new.clone()),
                None => self.network.routes().remove(&range),
            };
        }
        hosts.remove("");
        if self.has(Flaw::SetsAllAnew) {
            self.network.routes().extend(wanted.clone());
        }
        *self.held() = wanted;
        if self.has(Flaw::TellsItsOwnChanges) {
            self.network.deeds.send_modify(|count| *count += 1);
        }
        Ok(RoutesReport { hosts: hosts.len(), ..RoutesReport::default() })
    }

    async fn clear(&self) -> Result<(), RoutesError> {
        let held = std::mem::take(&mut *self.held());
        match self.network.flaw {
            Some(Flaw::LeavesRoutesBehindAtClear) => {}
            Some(Flaw::ClearsOnlyItsOwn) => self.network.routes().retain(|range, _| !held.contains_key(range)),
            _ => self.network.routes().retain(|_, route| route.host.is_none()),
        }
        Ok(())
    }

    fn drifted(&self) -> BoxStream<'static, ()> {
        if self.has(Flaw::TellsNobody) {
            return stream::pending().boxed();
        }
        let next = |mut deeds: watch::Receiver<u64>| async { deeds.changed().await.ok().map(|()| ((), deeds)) };
        stream::unfold(self.network.deeds.subscribe(), next).boxed()
    }
}

impl FlawedNetwork {
    fn routes(&self) -> MutexGuard<'_, BTreeMap<Cidr, Route>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, range: Cidr, route: Option<Route>) {
        match route {
            Some(route) => self.routes().insert(range, route),
            None => self.routes().remove(&range),
        };
        self.deeds.send_modify(|count| *count += 1);
    }
}

impl Landscape for FlawedNetwork {
    fn routes(&self) -> Box<dyn PodRoutes> {
        if self.flaw == Some(Flaw::EmptiesAtStart) {
            self.routes().retain(|_, route| route.host.is_none());
        }
        Box::new(FlawedRoutes { network: self.clone(), held: Mutex::default() })
    }

    fn next_hop(&self, address: IpAddr) -> Option<IpAddr> {
        let routes = self.routes();
        routes.iter().find(|(range, _)| range.place(address).is_some()).map(|(_, route)| route.to)
    }

    fn suffer(&self, deed: Deed, range: Cidr) {
        let altered = Route { to: [192, 0, 2, 99].into(), host: Some(String::new()) };
        self.set(range, (deed == Deed::Alter).then_some(altered));
    }

    fn occupy(&self, range: Cidr, to: IpAddr) {
        self.set(range, Some(Route { to, host: None }));
    }

    fn vacate(&self, range: Cidr) {
        self.set(range, None);
    }

    fn everything(&self) -> String {
        let others = self.routes().clone().into_iter().filter(|(_, route)| route.host.is_none());
        format!("{:?}", others.collect::<Vec<_>>())
    }
}
