//! Every controller against every fault; prints how many plans of faults were executed.

use std::sync::Arc;

use orch_controllers::replica_set::ReplicaSetController;
use orch_testkit::fault::{self, Scenario, stories};
use orch_testkit::suite;

#[test]
fn replica_sets_survive_every_fault() {
    survive(stories::replica_set(|| Arc::new(ReplicaSetController)));
}

fn survive(stories: Vec<Scenario>) {
    for story in stories {
        let report = suite::run(fault::explore(&story));
        println!("{report}");
        report.assert_none();
    }
}
