//! [`stats`]: what a pod uses.

use std::sync::Arc;

use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{ContainerStats, PodStats, PodUid};

use super::Shared;
use super::error::{Failure, Unless as _};
use super::record::AttemptRecord;
use super::settle::Life;
use super::wire::SnapshotUsageRequest;
use crate::cgroup::{network_of, usage_of};
use crate::log_file;

/// What a pod uses at this moment.
pub(super) async fn stats(shared: &Arc<Shared>, pod: &PodUid) -> Result<Option<PodStats>, Failure> {
    let Some(found) = shared.pod(pod).await? else { return Ok(None) };
    let Some(sandbox) = found.sandbox else { return Ok(None) };
    let (mut containers, mut network) = (Vec::new(), None);
    for (attempt, life) in &found.attempts {
        let Life::Running(process) = *life else { continue };
        containers.push(container(shared, attempt, process).await?);
        if !sandbox.spec.host_network {
            network = network.or_else(|| network_of(process).ok());
        }
    }
    containers.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Some(PodStats { pod: pod.clone(), at: SystemClock.now(), network, containers }))
}

async fn container(shared: &Shared, attempt: &AttemptRecord, process: u32) -> Result<ContainerStats, Failure> {
    let (snapshotter, key) = (shared.config.snapshotter.as_str().to_owned(), attempt.record.clone());
    let root = shared.client.call(SnapshotUsageRequest { snapshotter, key }).await.unless_missing()?;
    let (id, folder) = (attempt.id.clone(), shared.root.attempt(&attempt.id));
    let measured = tokio::task::spawn_blocking(move || {
        // One that ends meanwhile cannot be measured.
        let usage = usage_of(process).unwrap_or_default();
        ContainerStats { log_bytes: log_file::disk_bytes(&folder).ok(), ..usage.stats(id) }
    });
    let measured = measured.await.unwrap_or_else(|_| ContainerStats::unmeasured(attempt.id.clone()));
    Ok(ContainerStats { root_bytes: root.and_then(|usage| u64::try_from(usage.size).ok()), ..measured })
}
