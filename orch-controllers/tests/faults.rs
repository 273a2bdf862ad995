use std::sync::Arc;

use orch_controllers::replica_set::ReplicaSetController;
use orch_testkit::{fault, suite};

#[test]
fn replica_sets_survive_every_fault() {
    for story in fault::stories::replica_set(|| Arc::new(ReplicaSetController)) {
        let report = suite::run(fault::explore(&story));
        println!("{}", report);
    }
}
