//! [`close`]: what no pod needs is given back.

use std::sync::Arc;

use orch_core::runtime::RuntimeError;

use super::error::Failure;
use super::{Shared, cgroup};

/// Removes what pods share, if there is none.
pub(super) async fn close(shared: &Arc<Shared>) -> Result<(), RuntimeError> {
    // No pod comes meanwhile: its record is written under the same lock.
    let _nobody_comes = shared.network.addresses().await?;
    if !shared.records(None).await?.is_empty() {
        return Ok(());
    }
    shared.network.close().await?;
    let parent = &shared.config.cgroup_parent;
    let failed = |error| Failure::io("cannot remove the control group of containers below", parent, error);
    Ok(cgroup::close(parent, &shared.config.namespace).map_err(failed)?)
}
