//! [`DirectRoutes`]: routes to hosts on the same link.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use orch_core::network::{HostTable, PodRoutes, RoutesError, RoutesReport};

use super::model::{Lead, Observed, Wanted, Way};
use super::syncer::{Kind, Syncer};
use super::wanted::{forwarding_for, refuse_own_addresses};

/// Routes to the hosts themselves, for hosts that share a link: packets travel as they are, at the full size. A host behind
/// a router is [`Unsupported`](RoutesError::Unsupported): its router would have to know the pods' ranges.
///
/// Beyond what all pod routes promise:
///
/// - Its routes stand in the main table with the protocol number 79, by which they are known, also to one that comes after
///   it. Nothing else is made. A [`VxlanRoutes`](super::VxlanRoutes) takes them over, and the other way round.
/// - Dropping it leaves the routes; only [`clear`](PodRoutes::clear) removes them.
/// - The host is told to forward packets of the families that are in the table.
///
/// It works in the network namespace of the thread that opens it, and takes the capability `CAP_NET_ADMIN` there.
#[derive(Debug)]
pub struct DirectRoutes(Syncer<Direct>);

/// How [`DirectRoutes`] behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectConfig {
    /// How often the routes are looked at, whether they still are as they were made; 30 s by default. What the kernel tells
    /// of is looked at right away.
    pub check_every: Duration,
}

impl Default for DirectConfig {
    fn default() -> Self {
        Self { check_every: Duration::from_secs(30) }
    }
}

#[derive(Debug)]
struct Direct;

impl DirectRoutes {
    /// Routes that lead nowhere yet. Call it in an async runtime.
    ///
    /// # Errors
    /// [`RoutesError::Unavailable`].
    pub fn open(config: &DirectConfig) -> Result<Self, RoutesError> {
        Syncer::open(Direct, config.check_every).map(Self)
    }
}

#[async_trait]
impl PodRoutes for DirectRoutes {
    async fn sync(&self, table: Arc<HostTable>) -> Result<RoutesReport, RoutesError> {
        self.0.sync(table).await
    }

    async fn clear(&self) -> Result<(), RoutesError> {
        self.0.clear().await
    }

    fn drifted(&self) -> BoxStream<'static, ()> {
        self.0.drifted()
    }
}

impl Kind for Direct {
    fn wanted(&self, table: &HostTable, observed: &Observed) -> Result<Wanted, RoutesError> {
        refuse_own_addresses(table, observed)?;
        let mut wanted = Wanted { forwarding: forwarding_for(table), ..Wanted::default() };
        for (name, host) in table.others() {
            for range in &host.pod_ranges {
                let Some(via) = host.address_for(range) else { continue };
                let Some(link) = observed.link_to(via).map(|link| link.index) else {
                    let message = format!(
                        "its address {via} is on none of this host's links ({}), and plain routes lead only to hosts on the \
                         same link: use VXLAN, which crosses routers, or give it an address on a link that both share",
                        observed.links_for_people()
                    );
                    return Err(RoutesError::Unsupported { host: name.to_owned(), message });
                };
                wanted.leads.insert(*range, Lead { host: name.to_owned(), way: Way::Link { via, link } });
            }
        }
        Ok(wanted)
    }
}
