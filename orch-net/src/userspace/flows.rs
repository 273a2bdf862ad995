//! [`FlowTable`]: which endpoint each client's datagrams go to. Pure: the time is passed in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::config::FlowLimits;

/// Which endpoint each client's datagrams go to, at one address of a service port. `L` is what leads there; it is dropped
/// with its flow.
#[derive(Debug)]
pub(super) struct FlowTable<L> {
    limits: FlowLimits,
    flows: BTreeMap<SocketAddr, Flow<L>>,
    /// When each flow was last used, those that were never answered and those that were. A flow's datagrams do not come
    /// here each time: a note may be too early, and is put right when it is looked at.
    notes: [BTreeSet<(Instant, SocketAddr)>; 2],
}

#[derive(Debug)]
struct Flow<L> {
    endpoint: SocketAddr,
    /// `None` once the endpoint refused.
    lead: Option<L>,
    /// The endpoints that refused datagrams of this client, until one did not.
    refused_by: Vec<SocketAddr>,
    used: Instant,
    answered: bool,
    /// What its note says.
    noted: (bool, Instant),
}

impl<L> Flow<L> {
    fn is_noted(&self) -> bool {
        self.noted == (self.answered, self.used)
    }
}

impl FlowLimits {
    fn timeout(&self, answered: bool) -> Duration {
        if answered { self.answered } else { self.unanswered }
    }
}

impl<L> FlowTable<L> {
    pub(super) fn new(limits: FlowLimits) -> Self {
        Self { limits, flows: BTreeMap::new(), notes: Default::default() }
    }

    /// A datagram of `client` came: the endpoint that it goes to, if it has one.
    pub(super) fn lead(&mut self, client: SocketAddr, now: Instant) -> Option<(SocketAddr, &L)> {
        let limits = self.limits;
        let is_over = |flow: &Flow<L>| now.saturating_duration_since(flow.used) >= limits.timeout(flow.answered);
        if self.flows.get(&client).is_some_and(is_over) {
            self.remove(client);
        }
        let flow = self.flows.get_mut(&client)?;
        flow.used = now;
        Some((flow.endpoint, flow.lead.as_ref()?))
    }

    /// The endpoints that refused the latest datagrams of `client`.
    pub(super) fn refused_by(&self, client: SocketAddr) -> Vec<SocketAddr> {
        self.flows.get(&client).map_or_else(Vec::new, |flow| flow.refused_by.clone())
    }

    /// Datagrams of `client` go to `endpoint` from now on. Where there is no room, another flow gives way.
    pub(super) fn begin(&mut self, client: SocketAddr, endpoint: SocketAddr, lead: L, now: Instant) {
        let refused_by = self.remove(client).map_or_else(Vec::new, |flow| flow.refused_by);
        while self.flows.len() >= self.limits.flows_max.max(1) && self.make_room() {}
        let (answered, noted) = (false, (false, now));
        self.notes[0].insert((now, client));
        self.flows.insert(client, Flow { endpoint, lead: Some(lead), refused_by, used: now, answered, noted });
    }

    /// `endpoint` answered `client`. Returns whether that may hear it.
    pub(super) fn answered(&mut self, client: SocketAddr, endpoint: SocketAddr, now: Instant) -> bool {
        let Some(flow) = self.led(client, endpoint) else { return false };
        flow.answered = true;
        flow.used = now;
        flow.refused_by.clear();
        true
    }

    /// `endpoint` refused a datagram of `client`: the next one goes to another.
    pub(super) fn refused(&mut self, client: SocketAddr, endpoint: SocketAddr) {
        let Some(flow) = self.led(client, endpoint) else { return };
        flow.lead = None;
        if !flow.refused_by.contains(&endpoint) {
            flow.refused_by.push(endpoint);
        }
    }

    fn led(&mut self, client: SocketAddr, endpoint: SocketAddr) -> Option<&mut Flow<L>> {
        self.flows.get_mut(&client).filter(|flow| flow.endpoint == endpoint && flow.lead.is_some())
    }

    /// Ends the flows whose endpoints are not among these.
    pub(super) fn keep_to(&mut self, endpoints: &BTreeSet<SocketAddr>) {
        let Self { flows, notes, .. } = self;
        flows.retain(|client, flow| {
            let stays = flow.lead.is_some() && endpoints.contains(&flow.endpoint);
            if stays {
                flow.refused_by.retain(|endpoint| endpoints.contains(endpoint));
            } else {
                notes[usize::from(flow.noted.0)].remove(&(flow.noted.1, *client));
            }
            stays
        });
    }

    /// Ends the flows that were silent for too long. Returns when to look again: some time before another one is over, or
    /// then. `None` if nothing has to be looked at.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Instant> {
        let mut next = None;
        // Those that were answered meanwhile pass from the first to the second.
        for answered in [false, true] {
            let timeout = self.limits.timeout(answered);
            while let Some(&(noted, _)) = self.notes[usize::from(answered)].first() {
                if now.saturating_duration_since(noted) < timeout {
                    next = [next, noted.checked_add(timeout)].into_iter().flatten().min();
                    break;
                }
                self.look_at_first(answered);
            }
        }
        next
    }

    /// Ends the flow that was silent longest: one that was never answered, if there is one. Returns whether there was any.
    pub(super) fn make_room(&mut self) -> bool {
        [false, true].into_iter().any(|answered| {
            while !self.notes[usize::from(answered)].is_empty() {
                if self.look_at_first(answered) {
                    return true;
                }
            }
            false
        })
    }

    /// Ends the flow of the first note, if that is right, and otherwise puts the note right. Returns whether it was ended.
    fn look_at_first(&mut self, answered: bool) -> bool {
        let Some((_, client)) = self.notes[usize::from(answered)].pop_first() else { return false };
        let Some(flow) = self.flows.get_mut(&client) else { return false };
        if flow.is_noted() {
            self.flows.remove(&client);
            return true;
        }
        flow.noted = (flow.answered, flow.used);
        self.notes[usize::from(flow.answered)].insert((flow.used, client));
        false
    }

    /// Ends all flows.
    pub(super) fn clear(&mut self) {
        self.flows.clear();
        self.notes = Default::default();
    }

    fn remove(&mut self, client: SocketAddr) -> Option<Flow<L>> {
        let flow = self.flows.remove(&client)?;
        self.notes[usize::from(flow.noted.0)].remove(&(flow.noted.1, client));
        Some(flow)
    }
}

#[cfg(test)]
mod tests;
