//! [`Gauge`]: what the node has and what is used of it, measured now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use orch_core::object::Pod;
use orch_core::runtime::{
    Image, ImageName, Images, Machine, MachineStats, PodStats, PodUid, Runtime, SandboxStatus, VolumeName, VolumeUsage,
    Volumes,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::collection::LastUsed;

/// What was measured at one time.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) machine: MachineStats,
    /// The measurement before: between the two there is a use of processors.
    pub(super) before: Option<MachineStats>,
    /// Of every pod of the node that could be measured.
    pub(super) stats: BTreeMap<PodUid, PodStats>,
    pub(super) volumes: BTreeMap<PodUid, BTreeMap<VolumeName, VolumeUsage>>,
    pub(super) images: Vec<Image>,
    pub(super) last_used: LastUsed,
}

/// Measures the node, at most as often as it should be: it is asked at every look, and looks may follow each other at once.
/// What it remembers may be forgotten.
pub(super) struct Gauge {
    machine: Arc<dyn Machine>,
    runtime: Arc<dyn Runtime>,
    images: Option<Arc<dyn Images>>,
    volumes: Option<Arc<dyn Volumes>>,
    every: Duration,
    last: Mutex<Option<(Instant, Arc<Measured>)>>,
}

impl Gauge {
    pub(super) fn new(
        machine: Arc<dyn Machine>,
        runtime: Arc<dyn Runtime>,
        images: Option<Arc<dyn Images>>,
        volumes: Option<Arc<dyn Volumes>>,
        every: Duration,
    ) -> Self {
        Self { machine, runtime, images, volumes, every, last: Mutex::default() }
    }

    /// The last measurement, or a new one when that is due. What cannot be measured now is left out and told in the log:
    /// the node goes on without it.
    pub(super) async fn measured(&self, sandboxes: &[SandboxStatus], pods: &[Arc<Pod>]) -> Option<Arc<Measured>> {
        let mut last = self.last.lock().await;
        let before = last.as_ref().map(|(_, measured)| Arc::clone(measured));
        if let Some((at, measured)) = &*last
            && at.elapsed() < self.every
        {
            return Some(Arc::clone(measured));
        }
        let machine = match self.machine.measure().await {
            Ok(machine) => machine,
            Err(error) => {
                tracing::warn!(%error, "cannot measure this node");
                return before;
            }
        };
        let images = self.images().await.or_else(|| Some(before.as_ref()?.images.clone())).unwrap_or_default();
        let mut last_used = before.as_ref().map(|before| before.last_used.clone()).unwrap_or_default();
        last_used.see(&images, &of_containers(sandboxes), &of_pods(pods), machine.at);
        let measured = Arc::new(Measured {
            before: before.map(|before| before.machine.clone()).filter(|before| before.at < machine.at),
            stats: self.stats(sandboxes).await,
            volumes: self.usage().await,
            machine,
            images,
            last_used,
        });
        *last = Some((Instant::now(), Arc::clone(&measured)));
        Some(measured)
    }

    /// To be measured anew at the next look, because what was measured has been changed.
    pub(super) async fn outdated(&self) {
        if let Some((at, _)) = &mut *self.last.lock().await {
            *at = at.checked_sub(self.every).unwrap_or(*at);
        }
    }

    async fn images(&self) -> Option<Vec<Image>> {
        match self.images.as_ref()?.list().await {
            Ok(images) => Some(images),
            Err(error) => {
                tracing::warn!(%error, "cannot list the images of this node");
                None
            }
        }
    }

    async fn stats(&self, sandboxes: &[SandboxStatus]) -> BTreeMap<PodUid, PodStats> {
        let mut all = BTreeMap::new();
        for uid in sandboxes.iter().map(|sandbox| &sandbox.spec.pod) {
            match self.runtime.stats(uid).await {
                Ok(stats) => all.extend(stats.map(|stats| (uid.clone(), stats))),
                Err(error) => tracing::warn!(%error, pod = %uid, "cannot tell what a pod uses"),
            }
        }
        all
    }

    async fn usage(&self) -> BTreeMap<PodUid, BTreeMap<VolumeName, VolumeUsage>> {
        let Some(volumes) = &self.volumes else { return BTreeMap::new() };
        volumes.usage().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot tell what volumes use");
            BTreeMap::new()
        })
    }
}

/// The images that containers were started from, by content.
fn of_containers(sandboxes: &[SandboxStatus]) -> BTreeSet<String> {
    let containers = sandboxes.iter().flat_map(|sandbox| &sandbox.containers);
    containers.filter_map(|container| container.image_id.clone()).collect()
}

/// The images that pods name which have not ended.
fn of_pods(pods: &[Arc<Pod>]) -> BTreeSet<ImageName> {
    let alive = pods.iter().filter(|pod| !pod.status.phase().is_terminal());
    let containers = alive.flat_map(|pod| pod.spec.init_containers.iter().chain(&pod.spec.containers));
    containers.filter_map(|container| container.image.as_deref()?.parse().ok()).collect()
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gauge")
    }
}
