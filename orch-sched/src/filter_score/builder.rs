//! [`FilterScoreSchedulerBuilder`]: which filters and scores a scheduler has.

use super::filters::{Cordon, HostPorts, NodeResources, NodeSelection, Readiness, TaintToleration};
use super::rank::WeightedScore;
use super::scores::{BalancedAllocation, LeastAllocated, NodePreference, OwnerSpread, TaintPreference};
use super::supply::Supply;
use super::{Filter, FilterScoreScheduler, Score};

/// Composes a [`FilterScoreScheduler`]. It begins with the filters and scores of this crate; a plugin that has the name
/// of one that is there takes its place.
#[derive(Debug)]
pub struct FilterScoreSchedulerBuilder {
    seed: u64,
    filters: Vec<Box<dyn Filter>>,
    scores: Vec<WeightedScore>,
}

impl Default for FilterScoreSchedulerBuilder {
    /// The weights are those of Kubernetes' scheduler.
    fn default() -> Self {
        let filters: Vec<Box<dyn Filter>> = vec![
            Box::new(Readiness),
            Box::new(Cordon),
            Box::new(NodeSelection),
            Box::new(TaintToleration),
            Box::new(HostPorts),
            Box::new(NodeResources),
        ];
        let empty = Self { seed: 0, filters, scores: Vec::new() };
        empty
            .score(1, LeastAllocated)
            .score(1, BalancedAllocation)
            .score(2, OwnerSpread)
            .score(2, NodePreference)
            .score(3, TaintPreference)
    }
}

impl FilterScoreSchedulerBuilder {
    /// Decides between nodes of equal score; 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Adds a rule, checked after those that are there: a node that several rules exclude counts for the first.
    #[must_use]
    pub fn filter(mut self, filter: impl Filter) -> Self {
        let filter: Box<dyn Filter> = Box::new(filter);
        match self.filters.iter_mut().find(|known| known.name() == filter.name()) {
            Some(known) => *known = filter,
            None => self.filters.push(filter),
        }
        self
    }

    /// Adds a preference: its normalized score, times the weight, is added to a node's score. The weight 0 silences it.
    #[must_use]
    pub fn score(mut self, weight: u32, score: impl Score) -> Self {
        let score = WeightedScore { weight, plugin: Box::new(score) };
        match self.scores.iter_mut().find(|known| known.plugin.name() == score.plugin.name()) {
            Some(known) => *known = score,
            None => self.scores.push(score),
        }
        self
    }

    /// The scheduler, which knows of no nodes yet.
    #[must_use]
    pub fn build(self) -> FilterScoreScheduler {
        let Self { seed, filters, scores } = self;
        FilterScoreScheduler { seed, filters, scores, supply: Supply::default() }
    }
}
