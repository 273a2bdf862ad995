//! What the agent does on its node. Each effect may be performed again at any time, and those that a stale view could
//! make wrong ask the store first.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use orch_core::client::ClientError;
use orch_core::controller::{ControllerError, Effect};
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::Pod;
use orch_core::runtime::{
    ContainerId, ContainerSpec, ImageError, ImageName, Images, PodUid, Runtime, RuntimeError, SandboxSpec,
    SandboxStatus, VolumeError, VolumeName, VolumeSource, Volumes,
};
use orch_core::store::{Store, StoreExt as _};
use tokio::time::Instant;

use super::gauge::Gauge;
use super::hook::Hook;
use super::memory::{MadeVolume, Memory};
use super::probe::Inquiry;
use super::prober::Prober;
use super::puller::Puller;
use super::volumes::{Mounts, fingerprint};

/// What effects work with.
pub(super) struct Hands {
    pub(super) node_name: String,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) images: Option<Arc<dyn Images>>,
    pub(super) volumes: Option<Arc<dyn Volumes>>,
    pub(super) store: Arc<dyn Store>,
    pub(super) prober: Prober,
    pub(super) puller: Option<Puller>,
    pub(super) gauge: Option<Gauge>,
    pub(super) memory: Memory,
}

/// A container that is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) id: ContainerId,
    /// The time it has, its hook included.
    pub(super) grace: Duration,
    /// What is done before it is asked to end.
    pub(super) hook: Option<Hook>,
}

/// How long a container has at least that is asked to end after its hook used up the time, as in Kubernetes.
const LEAST_AFTER_HOOK: Duration = Duration::from_secs(2);

impl fmt::Debug for Hands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hands of {}", self.node_name)
    }
}

impl Hands {
    /// The pod as the store has it at this moment, if it is this one and bound to this node.
    async fn pod(&self, key: &Key, uid: &PodUid) -> Result<Option<Arc<Pod>>, ControllerError> {
        let pod = self.store.get_as::<Pod>(key).await.map_err(ClientError::from)?;
        Ok(pod.filter(|pod| is_here(pod, uid, &self.node_name)))
    }

    /// Ends an attempt; one that is not known has ended.
    async fn stop(&self, stop: &Stop) -> Result<(), ControllerError> {
        let began = Instant::now();
        let mut grace = stop.grace;
        if let Some(hook) = stop.hook.as_ref().filter(|_| !grace.is_zero()) {
            let done = tokio::time::timeout(grace, hook.run(&*self.runtime, grace)).await;
            if let Err(message) = done.unwrap_or_else(|_| Err("it did not end within the grace period".to_owned())) {
                let message = format!("PreStopHook of container {} failed: {message}", stop.id.name);
                self.memory.note(&stop.id.pod, "FailedPreStopHook", message);
            }
            grace = grace.saturating_sub(began.elapsed()).max(LEAST_AFTER_HOOK.min(grace));
        }
        match self.runtime.stop(&stop.id, grace).await {
            Ok(()) | Err(RuntimeError::NoSuchContainer { .. }) => Ok(()),
            Err(error) => Err(outside(error)),
        }
    }

    /// Removes everything of a pod of which nothing runs. Its files go first: while they are there, so is the sandbox by
    /// which they are found again.
    async fn remove(&self, uid: &PodUid) -> Result<(), ControllerError> {
        self.prober.forget(uid);
        if let Some(puller) = &self.puller {
            puller.forget(uid);
        }
        if let Some(volumes) = &self.volumes {
            volumes.remove(uid).await.map_err(of_volumes)?;
        }
        self.runtime.remove(uid).await.map_err(outside)?;
        self.memory.forget(uid);
        Ok(())
    }
}

/// Whether it is the pod of this uid, and bound to the node of this name.
pub(super) fn is_here(pod: &Pod, uid: &PodUid, node_name: &str) -> bool {
    let same = pod.metadata.uid.as_ref().is_some_and(|found| found.as_str() == uid.as_str());
    same && pod.spec.node_name.as_deref() == Some(node_name)
}

/// The key of the pod that a sandbox was made for.
pub(super) fn key_of(sandbox: &SandboxSpec) -> Option<Key> {
    Key::new(&Pod::KIND, Some(&sandbox.namespace), &sandbox.name).ok()
}

pub(super) fn outside(error: RuntimeError) -> ControllerError {
    let transient = error.is_transient();
    ControllerError::outside(error, transient)
}

fn of_volumes(error: VolumeError) -> ControllerError {
    let transient = error.is_transient();
    ControllerError::outside(error, transient)
}

fn of_images(error: ImageError) -> ControllerError {
    let transient = error.is_transient();
    ControllerError::outside(error, transient)
}

/// Makes the sandbox of a pod, if the store, asked at that moment, still wants it here: on a stale view a pod would be
/// started that was deleted long ago, or lives elsewhere by now.
#[derive(Debug)]
pub(super) struct CreateSandbox {
    pub(super) hands: Arc<Hands>,
    pub(super) key: Key,
    pub(super) spec: SandboxSpec,
}

#[async_trait]
impl Effect for CreateSandbox {
    async fn perform(&self) -> Result<(), ControllerError> {
        let pod = self.hands.pod(&self.key, &self.spec.pod).await?;
        if !pod.is_some_and(|pod| !pod.metadata.is_deleting() && !pod.status.phase().is_terminal()) {
            return Err(ClientError::Conflict { key: self.key.clone() }.into());
        }
        let made = self.hands.runtime.create_sandbox(&self.spec).await;
        self.hands.memory.tried(&self.spec.pod, "FailedCreatePodSandBox", &made);
        made.map(drop).map_err(outside)
    }
}

/// Makes volumes of a pod. It needs no look at the store: there is a sandbox only while the pod is to be here.
#[derive(Debug)]
pub(super) struct MakeVolumes {
    pub(super) hands: Arc<Hands>,
    pub(super) pod: PodUid,
    pub(super) volumes: Vec<(VolumeName, VolumeSource)>,
}

#[async_trait]
impl Effect for MakeVolumes {
    async fn perform(&self) -> Result<(), ControllerError> {
        let Some(volumes) = &self.hands.volumes else { return Ok(()) };
        for (name, source) in &self.volumes {
            let made = volumes.make(&self.pod, name, source).await;
            let told =
                made.as_ref().map_err(|error| format!("MountVolume.SetUp failed for volume \"{name}\" : {error}"));
            self.hands.memory.tried(&self.pod, "FailedMount", &told);
            let made = MadeVolume { fingerprint: fingerprint(source), path: made.map_err(of_volumes)? };
            self.hands.memory.change(&self.pod, |memory| {
                memory.volumes.insert(name.clone(), made);
            });
        }
        Ok(())
    }
}

/// Begins to fetch an image for an attempt.
#[derive(Debug)]
pub(super) struct PullImage {
    pub(super) hands: Arc<Hands>,
    pub(super) key: Key,
    pub(super) id: ContainerId,
    pub(super) image: ImageName,
}

#[async_trait]
impl Effect for PullImage {
    async fn perform(&self) -> Result<(), ControllerError> {
        if let Some(puller) = &self.hands.puller {
            puller.pull(&self.id, &self.key, &self.image);
        }
        Ok(())
    }
}

/// Starts an attempt. It needs no look at the store: there is a sandbox only while the pod is to be here.
#[derive(Debug)]
pub(super) struct StartContainer {
    pub(super) hands: Arc<Hands>,
    pub(super) id: ContainerId,
    pub(super) spec: Box<ContainerSpec>,
    pub(super) mounts: Mounts,
}

#[async_trait]
impl Effect for StartContainer {
    async fn perform(&self) -> Result<(), ControllerError> {
        let spec = self.spec().await;
        let told = spec.as_ref().map_err(ToString::to_string);
        self.hands.memory.tried(&self.id.pod, "FailedMount", &told);
        let started = self.hands.runtime.start(&self.id, &spec.map_err(of_volumes)?).await;
        self.hands.memory.tried(&self.id.pod, "Failed", &started);
        started.map_err(outside)
    }
}

impl StartContainer {
    /// What is to run, with every mount where its file or folder is at this moment.
    async fn spec(&self) -> Result<ContainerSpec, VolumeError> {
        let mut spec = ContainerSpec::clone(&self.spec);
        spec.mounts.clone_from(&self.mounts.mounts);
        let Some(volumes) = &self.hands.volumes else { return Ok(spec) };
        let pod = &self.id.pod;
        for part in &self.mounts.sub_paths {
            let source = &mut spec.mounts[part.mount].source;
            *source = volumes.resolve(pod, &part.volume, source, &part.path).await?;
        }
        if let Some((mount, message)) = &self.mounts.message {
            spec.mounts[*mount].source = volumes.touch(pod, &message.volume, &message.file).await?;
        }
        Ok(spec)
    }
}

/// Runs the hook that comes after the start of a container.
#[derive(Debug)]
pub(super) struct RunHook {
    pub(super) hands: Arc<Hands>,
    pub(super) id: ContainerId,
    pub(super) hook: Hook,
}

/// How long a hook after the start may take. Kubernetes has no limit; but a pod whose hook hangs must be able to end.
const HOOK_MAX: Duration = Duration::from_secs(600);

#[async_trait]
impl Effect for RunHook {
    async fn perform(&self) -> Result<(), ControllerError> {
        let done = self.hook.run(&*self.hands.runtime, HOOK_MAX).await;
        self.hands.memory.change(&self.id.pod, |memory| {
            memory.hooks.retain(|id, _| id.name != self.id.name);
            memory.hooks.insert(self.id.clone(), done);
        });
        Ok(())
    }
}

/// Ends containers of one pod, all at once, and waits for their ends.
#[derive(Debug)]
pub(super) struct StopContainers {
    pub(super) hands: Arc<Hands>,
    pub(super) stops: Vec<Stop>,
}

#[async_trait]
impl Effect for StopContainers {
    async fn perform(&self) -> Result<(), ControllerError> {
        try_join_all(self.stops.iter().map(|stop| self.hands.stop(stop))).await.map(drop)
    }
}

/// Removes images that nobody uses. One that somebody came to use meanwhile stays.
#[derive(Debug)]
pub(super) struct RemoveImages {
    pub(super) hands: Arc<Hands>,
    pub(super) ids: Vec<String>,
}

#[async_trait]
impl Effect for RemoveImages {
    async fn perform(&self) -> Result<(), ControllerError> {
        let Some(images) = &self.hands.images else { return Ok(()) };
        for id in &self.ids {
            match images.remove(id).await {
                Ok(()) | Err(ImageError::InUse { .. }) => tracing::info!(%id, "an image that nobody uses is removed"),
                Err(error) => return Err(of_images(error)),
            }
        }
        if let Some(gauge) = &self.hands.gauge {
            gauge.outdated().await;
        }
        Ok(())
    }
}

/// Removes the files of a pod of which nothing else is left, here or in the store.
#[derive(Debug)]
pub(super) struct RemoveVolumes {
    pub(super) hands: Arc<Hands>,
    pub(super) pod: PodUid,
}

#[async_trait]
impl Effect for RemoveVolumes {
    async fn perform(&self) -> Result<(), ControllerError> {
        let Some(volumes) = &self.hands.volumes else { return Ok(()) };
        if self.hands.runtime.status(&self.pod).await.map_err(outside)?.is_some() {
            return Ok(());
        }
        volumes.remove(&self.pod).await.map_err(of_volumes)
    }
}

/// Forgets an attempt that has ended.
#[derive(Debug)]
pub(super) struct ForgetContainer {
    pub(super) hands: Arc<Hands>,
    pub(super) id: ContainerId,
}

#[async_trait]
impl Effect for ForgetContainer {
    async fn perform(&self) -> Result<(), ControllerError> {
        self.hands.runtime.remove_container(&self.id).await.map_err(outside)
    }
}

/// Removes everything of a pod that is being deleted, and of which nothing runs.
#[derive(Debug)]
pub(super) struct RemoveSandbox {
    pub(super) hands: Arc<Hands>,
    pub(super) pod: PodUid,
}

#[async_trait]
impl Effect for RemoveSandbox {
    async fn perform(&self) -> Result<(), ControllerError> {
        self.hands.remove(&self.pod).await
    }
}

/// Ends and removes what is here of a pod that does not exist, or not on this node: if that is still so when the store
/// is asked. On a stale view a living pod looks like one.
#[derive(Debug)]
pub(super) struct ClearStray {
    pub(super) hands: Arc<Hands>,
    pub(super) stray: SandboxStatus,
    /// How long its containers have to end.
    pub(super) grace: Duration,
}

#[async_trait]
impl Effect for ClearStray {
    async fn perform(&self) -> Result<(), ControllerError> {
        let uid = &self.stray.spec.pod;
        if let Some(key) = key_of(&self.stray.spec)
            && self.hands.pod(&key, uid).await?.is_some()
        {
            return Err(ClientError::Conflict { key }.into());
        }
        self.hands.prober.forget(uid);
        let running = self.stray.containers.iter().filter(|attempt| attempt.state.is_running());
        let stops: Vec<Stop> =
            running.map(|attempt| Stop { id: attempt.id.clone(), grace: self.grace, hook: None }).collect();
        try_join_all(stops.iter().map(|stop| self.hands.stop(stop))).await?;
        self.hands.remove(uid).await
    }
}

/// Puts exactly these questions to a pod's containers from now on.
#[derive(Debug)]
pub(super) struct AskContainers {
    pub(super) hands: Arc<Hands>,
    pub(super) key: Key,
    pub(super) pod: PodUid,
    pub(super) inquiries: Vec<Inquiry>,
}

#[async_trait]
impl Effect for AskContainers {
    async fn perform(&self) -> Result<(), ControllerError> {
        self.hands.prober.ask(&self.pod, &self.key, &self.inquiries);
        Ok(())
    }
}
