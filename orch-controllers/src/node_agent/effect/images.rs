//! Removing images that nobody uses.

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::controller::{ControllerError, Effect};
use orch_core::runtime::ImageError;

use super::Hands;

/// Removes images that nobody uses. One that somebody came to use meanwhile stays.
#[derive(Debug)]
pub(in crate::node_agent) struct RemoveImages {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) ids: Vec<String>,
}

#[async_trait]
impl Effect for RemoveImages {
    async fn perform(&self) -> Result<(), ControllerError> {
        let Some(images) = &self.hands.images else { return Ok(()) };
        for id in &self.ids {
            match images.remove(id).await {
                Ok(()) | Err(ImageError::InUse { .. }) => tracing::info!(%id, "an image that nobody uses is removed"),
                Err(error) => {
                    let transient = error.is_transient();
                    return Err(ControllerError::outside(error, transient));
                }
            }
        }
        if let Some(gauge) = &self.hands.gauge {
            gauge.outdated();
        }
        Ok(())
    }
}
