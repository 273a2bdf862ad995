//! [`Gauge`]: what the node has and what is used of it, measured now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orch_core::object::Pod;
use orch_core::runtime::{
    Image, ImageName, Images, Machine, MachineStats, PodStats, PodUid, Runtime, SandboxStatus, VolumeName, VolumeUsage,
    Volumes,
};
use tokio::task::AbortHandle;
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

/// Measures the node now and then, beside everything else: to ask a daemon what each of many pods uses takes its time, and
/// the node must show meanwhile that it is alive. What it remembers may be forgotten.
pub(super) struct Gauge {
    every: Duration,
    inner: Arc<Inner>,
}

struct Inner {
    machine: Arc<dyn Machine>,
    runtime: Arc<dyn Runtime>,
    images: Option<Arc<dyn Images>>,
    volumes: Option<Arc<dyn Volumes>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: Option<Arc<Measured>>,
    /// When the last measurement began.
    began: Option<Instant>,
    task: Option<AbortHandle>,
}

impl Gauge {
    pub(super) fn new(
        machine: Arc<dyn Machine>,
        runtime: Arc<dyn Runtime>,
        images: Option<Arc<dyn Images>>,
        volumes: Option<Arc<dyn Volumes>>,
        every: Duration,
    ) -> Self {
        Self { every, inner: Arc::new(Inner { machine, runtime, images, volumes, state: Mutex::default() }) }
    }

    /// The last measurement, if there was any; a new one is begun when that is due.
    pub(super) fn measured(&self, sandboxes: &[SandboxStatus], pods: &[Arc<Pod>]) -> Option<Arc<Measured>> {
        let mut state = self.inner.state();
        let runs = state.task.as_ref().is_some_and(|task| !task.is_finished());
        if !runs && state.began.is_none_or(|began| began.elapsed() >= self.every) {
            state.began = Some(Instant::now());
            let (inner, sandboxes, pods) = (Arc::clone(&self.inner), sandboxes.to_vec(), pods.to_vec());
            let task = tokio::spawn(async move { inner.measure(&sandboxes, &pods).await });
            state.task = Some(task.abort_handle());
        }
        state.last.clone()
    }

    /// To be measured anew at the next look, because what was measured has been changed.
    pub(super) fn outdated(&self) {
        self.inner.state().began = None;
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        if let Some(task) = self.inner.state().task.take() {
            task.abort();
        }
    }
}

impl Inner {
    /// A panic while the lock is held leaves nothing half done: every critical section is one step.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What cannot be measured now is left out and told in the log: the node goes on without it.
    async fn measure(&self, sandboxes: &[SandboxStatus], pods: &[Arc<Pod>]) {
        let machine = match self.machine.measure().await {
            Ok(machine) => machine,
            Err(error) => return tracing::warn!(%error, "cannot measure this node"),
        };
        let before = self.state().last.clone();
        let images = self.images().await.or_else(|| Some(before.as_ref()?.images.clone())).unwrap_or_default();
        let mut last_used = before.as_ref().map(|before| before.last_used.clone()).unwrap_or_default();
        last_used.see(&images, &of_containers(sandboxes), &of_pods(pods), machine.at);
        let measured = Measured {
            before: before.map(|before| before.machine.clone()).filter(|before| before.at < machine.at),
            stats: self.stats(sandboxes).await,
            volumes: self.usage().await,
            machine,
            images,
            last_used,
        };
        self.state().last = Some(Arc::new(measured));
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
