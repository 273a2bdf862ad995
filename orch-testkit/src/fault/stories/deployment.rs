//! What deployments go through.
use crate::fault::Scenario;
/// x
pub fn deployment() -> Vec<Scenario> {
    Vec::new()
}
