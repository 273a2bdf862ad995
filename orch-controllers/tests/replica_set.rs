//! The replica set controller under every fault at every point.

use std::sync::Arc;

use orch_controllers::replica_set::ReplicaSetController;
use orch_testkit::fault::stories;

mod conformance {
    use super::*;

    orch_testkit::controller_suite!(stories::replica_set(|| Arc::new(ReplicaSetController)));
}
