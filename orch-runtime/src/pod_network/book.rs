//! [`Book`]: who has which address, and which rest. Nothing here knows of files or waits.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::runtime::PodUid;
use serde::{Deserialize, Serialize};

/// The addresses of a node's pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Book {
    /// Who has which.
    pods: BTreeMap<PodUid, Ipv4Addr>,
    /// Those that were given back, and when.
    resting: BTreeMap<Ipv4Addr, Timestamp>,
    /// The one that was given last: the next one is looked for after it.
    last: Option<Ipv4Addr>,
}

/// No address can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoneFree {
    /// How many pods have.
    pub(super) held: usize,
    /// How many rest.
    pub(super) resting: usize,
    /// When the first of these has rested.
    pub(super) next: Option<Timestamp>,
}

impl Book {
    /// The pod's address: the one that it has, or else one of `range` that nobody has and that has rested for `quarantine`.
    pub(super) fn give(
        &mut self,
        pod: &PodUid,
        range: &Range<u32>,
        quarantine: Duration,
        now: Timestamp,
    ) -> Result<Ipv4Addr, NoneFree> {
        if let Some(address) = self.pods.get(pod) {
            return Ok(*address);
        }
        self.rest(quarantine, now);
        let held: BTreeSet<Ipv4Addr> = self.pods.values().copied().collect();
        let after = self.last.map(|last| u32::from(last).saturating_add(1)).filter(|after| range.contains(after));
        let after = after.unwrap_or(range.start);
        let is_free = |address: &Ipv4Addr| !held.contains(address) && !self.resting.contains_key(address);
        let Some(address) = (after..range.end).chain(range.start..after).map(Ipv4Addr::from).find(is_free) else {
            let of_range = |address: &&Ipv4Addr| range.contains(&u32::from(**address));
            let rests = self.resting.iter().filter(|(address, _)| of_range(address)).map(|(_, since)| *since);
            let next = rests.clone().min().map(|since| since.saturating_add(quarantine).unwrap_or(Timestamp::MAX));
            return Err(NoneFree { held: held.iter().filter(of_range).count(), resting: rests.count(), next });
        };
        self.pods.insert(pod.clone(), address);
        self.last = Some(address);
        Ok(address)
    }

    /// The pod's address rests from now on, if it has one.
    pub(super) fn give_back(&mut self, pod: &PodUid, now: Timestamp) {
        if let Some(address) = self.pods.remove(pod) {
            self.resting.insert(address, now);
        }
    }

    /// Takes over what is known otherwise, after a crash or when this is new: the pods that there are, each with its address
    /// as far as that is known. All others have gone.
    pub(super) fn settle(&mut self, pods: &BTreeMap<PodUid, Option<Ipv4Addr>>, now: Timestamp) {
        let gone: Vec<PodUid> = self.pods.keys().filter(|pod| !pods.contains_key(*pod)).cloned().collect();
        for pod in gone {
            self.give_back(&pod, now);
        }
        for (pod, address) in pods {
            let Some(address) = address else { continue };
            if self.pods.get(pod) == Some(address) {
                continue;
            }
            self.give_back(pod, now);
            self.pods.retain(|_, held| held != address);
            self.resting.remove(address);
            self.pods.insert(pod.clone(), *address);
        }
    }

    /// What of it contradicts itself: two pods that have the same address.
    pub(super) fn contradiction(&self) -> Option<String> {
        let mut owners: BTreeMap<Ipv4Addr, &PodUid> = BTreeMap::new();
        self.pods.iter().find_map(|(pod, address)| {
            let other = owners.insert(*address, pod)?;
            Some(format!("{address} belongs to two pods, {other} and {pod}"))
        })
    }

    /// Forgets what has rested. The clock may have been set back: what was given back in the future rests from now on, so
    /// that nothing rests for less time than it must, or for ever.
    fn rest(&mut self, quarantine: Duration, now: Timestamp) {
        self.resting.retain(|_, since| {
            *since = now.min(*since);
            now.duration_since(*since).unsigned_abs() < quarantine
        });
    }
}

#[cfg(test)]
mod tests;
