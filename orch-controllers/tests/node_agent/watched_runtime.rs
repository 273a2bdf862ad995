//! [`WatchedRuntime`]: the fake runtime, watched for twins.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use orch_core::runtime::{
    ContainerId, ContainerName, ContainerSpec, ContainerState, ContainerStatus, ExecOutput, LogOptions, LogStream,
    Mount, PodStats, PodUid, Runtime, RuntimeError, SandboxSpec, SandboxStatus,
};
use orch_runtime::fake::FakeRuntime;

/// An init container of this name does its work at once.
pub(crate) const BRIEF: &str = "init-brief";

/// A fake runtime that gives pods no address, since an address would follow from the order of events, and that writes
/// down every start beside a running container of an earlier pod of the same name, and of every init container beside or
/// after another container of its pod.
#[derive(Clone, Debug)]
pub(crate) struct WatchedRuntime {
    pub(crate) fake: FakeRuntime,
    twins: Arc<Mutex<Vec<String>>>,
    mounts: Arc<Mutex<BTreeMap<ContainerId, Vec<Mount>>>>,
}

impl WatchedRuntime {
    pub(crate) fn new(fake: FakeRuntime) -> Self {
        Self { fake, twins: Arc::default(), mounts: Arc::default() }
    }

    /// What was seen that must never be.
    pub(crate) fn twins(&self) -> Result<(), String> {
        let twins = self.twins.lock().expect("a lock");
        if twins.is_empty() { Ok(()) } else { Err(twins.join("; ")) }
    }

    /// Where an attempt sees what of the node.
    pub(crate) fn mounts(&self, id: &ContainerId) -> Vec<Mount> {
        self.mounts.lock().expect("a lock").get(id).cloned().unwrap_or_default()
    }

    /// Everything on the node, in a line.
    pub(crate) async fn summary(&self) -> String {
        let sandboxes = self.fake.list().await.expect("the fake lists");
        let attempts = sandboxes.iter().flat_map(|sandbox| {
            sandbox.containers.iter().map(|attempt| {
                let state = if attempt.state.is_running() { "runs" } else { "ended" };
                format!("{} {}/{} {state}", sandbox.spec.name, attempt.id.name, attempt.id.attempt)
            })
        });
        attempts.collect::<Vec<_>>().join(", ")
    }

    async fn look_for_twins(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let sandboxes = self.fake.list().await?;
        let name = |sandbox: &SandboxStatus| (sandbox.spec.namespace.clone(), sandbox.spec.name.clone());
        let Some(own) = sandboxes.iter().find(|sandbox| sandbox.spec.pod == id.pod) else { return Ok(()) };
        let runs = |sandbox: &SandboxStatus| sandbox.containers.iter().any(|attempt| attempt.state.is_running());
        let others = sandboxes.iter().filter(|other| other.spec.pod != id.pod && name(other) == name(own));
        for other in others.filter(|other| runs(other)) {
            let words = format!("{id} was started while {} of the same name runs", other.spec.pod);
            self.twins.lock().expect("a lock").push(words);
        }
        let init = |name: &ContainerName| name.as_str().starts_with("init");
        let mut begun = own.containers.iter().filter(|other| !init(&other.id.name) || other.state.is_running());
        if let Some(other) = begun.find(|other| init(&id.name) && other.id.name != id.name) {
            self.twins.lock().expect("a lock").push(format!("{id} was started when {} had been", other.id));
        }
        let done = |attempt: &ContainerStatus| matches!(attempt.state, ContainerState::Exited { code: 0, .. });
        if let Some(other) =
            own.containers.iter().find(|other| init(&id.name) && other.id.name == id.name && done(other))
            && other.id != *id
        {
            self.twins.lock().expect("a lock").push(format!("{id} was started when {} had done its work", other.id));
        }
        Ok(())
    }
}

#[async_trait]
impl Runtime for WatchedRuntime {
    async fn create_sandbox(&self, spec: &SandboxSpec) -> Result<SandboxStatus, RuntimeError> {
        Ok(SandboxStatus { ip: None, ..self.fake.create_sandbox(spec).await? })
    }

    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        self.look_for_twins(id).await?;
        self.mounts.lock().expect("a lock").insert(id.clone(), spec.mounts.clone());
        // The fake looks for them on the real node, and the volumes of these tests are in memory.
        self.fake.start(id, &ContainerSpec { mounts: Vec::new(), ..spec.clone() }).await?;
        if id.name.as_str() == BRIEF {
            self.fake.crash(id, 0);
        }
        Ok(())
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        self.fake.stop(id, grace).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        self.fake.remove_container(id).await
    }

    async fn remove(&self, pod: &PodUid) -> Result<(), RuntimeError> {
        self.fake.remove(pod).await
    }

    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError> {
        // The fault engine never waits, so that what goes on in the background would not come to its turn.
        tokio::task::yield_now().await;
        let sandboxes = self.fake.list().await?;
        Ok(sandboxes.into_iter().map(|sandbox| SandboxStatus { ip: None, ..sandbox }).collect())
    }

    async fn status(&self, pod: &PodUid) -> Result<Option<SandboxStatus>, RuntimeError> {
        Ok(self.fake.status(pod).await?.map(|sandbox| SandboxStatus { ip: None, ..sandbox }))
    }

    async fn stats(&self, pod: &PodUid) -> Result<Option<PodStats>, RuntimeError> {
        self.fake.stats(pod).await
    }

    fn events(&self) -> BoxStream<'static, PodUid> {
        self.fake.events()
    }

    async fn logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogStream, RuntimeError> {
        self.fake.logs(id, options).await
    }

    async fn exec(&self, id: &ContainerId, command: &[String], timeout: Duration) -> Result<ExecOutput, RuntimeError> {
        self.fake.exec(id, command, timeout).await
    }
}
