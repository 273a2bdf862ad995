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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn a_scheduler_is_chosen_wherever_a_control_plane_starts() {
        for (more, chosen) in
            [(&[][..], SchedulerKind::FilterScore), (&["--scheduler", "offers"], SchedulerKind::Offers)]
        {
            let up = ["k8s-like", "up", "-f", "web.yaml"].iter().chain(more);
            let control_plane = ["k8s-like", "control-plane", "--store", "etcd://127.0.0.1:2379"].iter().chain(more);
            match Cli::try_parse_from(up).expect("it is right").command {
                Command::Up(options) => assert_eq!(options.scheduler, chosen),
                other => panic!("{other:?}"),
            }
            match Cli::try_parse_from(control_plane).expect("it is right").command {
                Command::ControlPlane(options) => assert_eq!(options.scheduler, chosen),
                other => panic!("{other:?}"),
            }
        }
    }
}
