//! The conformance suite of controllers, for those that are shipped: every fault at every point.
//! `cargo test -p orch-controllers --test faults -- --nocapture` prints how many plans of faults were executed.

use std::sync::Arc;

use orch_controllers::deployment::DeploymentController;
use orch_controllers::replica_set::ReplicaSetController;
use orch_testkit::fault::stories;

mod replica_set {
    use super::*;

    orch_testkit::controller_suite!(stories::replica_set(|| Arc::new(ReplicaSetController)));
}

mod deployment {
    use super::*;

    orch_testkit::controller_suite!(stories::deployment(
        || Arc::new(DeploymentController),
        || Arc::new(ReplicaSetController)
    ));
}
