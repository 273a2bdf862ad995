//! The deployment controller, together with that of replica sets, under every fault at every point.

use std::sync::Arc;

use orch_controllers::deployment::DeploymentController;
use orch_controllers::replica_set::ReplicaSetController;
use orch_testkit::fault::stories;

mod conformance {
    use super::*;

    orch_testkit::controller_suite!(stories::deployment(
        || Arc::new(DeploymentController),
        || Arc::new(ReplicaSetController)
    ));
}
