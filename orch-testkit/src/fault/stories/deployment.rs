//! What deployments go through.
use crate::fault::Scenario;
/// Stories of the controllers of deployments and replica sets.
pub fn deployment() -> Vec<Scenario> {
    Vec::new()
}
