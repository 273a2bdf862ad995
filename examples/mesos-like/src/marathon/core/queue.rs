//! [`Waiting`]: instances that are to be started, and why they are not yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Marathon;
use crate::marathon::launch::Unplaced;
use crate::marathon::model::{App, AppId, Version};
use crate::wire::Offer;

/// How many of the last offers that were of no use are shown.
const MOST_OFFERS: usize = 20;

/// Instances of an app that are to be started.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Of what.
    pub app: Arc<App>,
    /// How many.
    pub count: u32,
    /// Since when.
    pub since: Version,
    /// How many offers were looked at.
    pub processed: usize,
    /// How many of them were of no use.
    pub unused: usize,
    /// When one was last of no use.
    pub last_unused_at: Option<Version>,
    /// When one was last of use.
    pub last_used_at: Option<Version>,
    /// Why the last offer of each agent was of no use.
    pub last: BTreeMap<String, &'static str>,
    /// How many offers were of no use for each reason, since it waits.
    pub all: BTreeMap<&'static str, usize>,
    /// The last offers that were of no use.
    pub last_offers: Vec<(Version, Offer)>,
}

impl Waiting {
    /// How many agents' last offers were of no use for each reason.
    #[must_use]
    pub fn reasons(&self) -> BTreeMap<&'static str, usize> {
        let mut reasons = BTreeMap::new();
        self.last.values().for_each(|reason| *reasons.entry(*reason).or_default() += 1);
        reasons
    }

    fn new(app: Arc<App>, since: Version) -> Self {
        Self {
            app,
            count: 0,
            since,
            processed: 0,
            unused: 0,
            last_unused_at: None,
            last_used_at: None,
            last: BTreeMap::new(),
            all: BTreeMap::new(),
            last_offers: Vec::new(),
        }
    }

    /// So many offers were of use and the others not, for these reasons.
    pub(super) fn looked(&mut self, offers: &[&Offer], used: usize, why: Option<Unplaced>, now: Version) {
        self.processed += offers.len();
        if used > 0 {
            self.last_used_at = Some(now);
        }
        for (index, offer) in offers.iter().enumerate() {
            match why.as_ref().and_then(|why| why.get(&index)) {
                Some(reason) => {
                    self.unused += 1;
                    self.last_unused_at = Some(now);
                    self.last.insert(offer.agent_id.value.clone(), reason);
                    *self.all.entry(reason).or_default() += 1;
                    self.last_offers.push((now, (*offer).clone()));
                }
                None => drop(self.last.remove(&offer.agent_id.value)),
            }
        }
        self.last_offers.drain(..self.last_offers.len().saturating_sub(MOST_OFFERS));
    }
}

impl Marathon {
    /// So many instances of an app are to be started.
    pub(super) fn wait(&mut self, id: &AppId, app: Option<(Arc<App>, u32)>, now: Version) {
        match app {
            Some((app, count)) if count > 0 => {
                let waiting = self.queue.entry(id.clone()).or_insert_with(|| Waiting::new(Arc::clone(&app), now));
                if waiting.app.version != app.version {
                    *waiting = Waiting::new(app, now);
                }
                waiting.count = count;
                if let Some(until) = self.delays.until(&waiting.app).filter(|until| *until > now) {
                    self.wakes.insert((until, id.clone()));
                }
            }
            _ => drop(self.queue.remove(id)),
        }
    }

    /// Whether instances may be started now, and are not left alone for a while.
    pub(super) fn may_start(&self, waiting: &Waiting, now: Version) -> bool {
        waiting.count > 0 && self.delays.until(&waiting.app).is_none_or(|until| until <= now)
    }

    /// Until when the start of an app is put off.
    #[must_use]
    pub fn put_off(&self, waiting: &Waiting) -> Option<Version> {
        self.delays.until(&waiting.app)
    }

    /// The instances that are to be started.
    #[must_use]
    pub fn waiting(&self) -> &BTreeMap<AppId, Waiting> {
        &self.queue
    }

    /// An app that failed is tried again at once. Returns whether it waits.
    pub fn reset_delay(&mut self, id: &AppId) -> bool {
        self.delays.reset(id);
        self.dirty.insert(id.clone());
        self.queue.contains_key(id)
    }
}
