//! [`SchedulerKind`]: who decides on which node a pod runs.

use orch_core::scheduler::Scheduler;
use orch_sched::{FilterScoreScheduler, OfferScheduler};

/// Who decides on which node a pod runs, as it is said on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum SchedulerKind {
    /// One for all pods: the first that waits gets the best of all nodes
    #[default]
    FilterScore,
    /// One for each namespace, among which the nodes are divided by fair shares
    Offers,
}

impl SchedulerKind {
    /// One that was shown nothing.
    pub(crate) fn scheduler(self) -> Box<dyn Scheduler> {
        match self {
            Self::FilterScore => Box::new(FilterScoreScheduler::default()),
            // By default a namespace is a framework, in the role of its own name.
            Self::Offers => Box::new(OfferScheduler::default()),
        }
    }
}
