//! [`WatchedRuntime`]: the fake runtime, watched for twins.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use orch_core::runtime::{
    ContainerId, ContainerSpec, ExecOutput, LogOptions, LogStream, PodStats, PodUid, Runtime, RuntimeError,
    SandboxSpec, SandboxStatus,
};
use orch_runtime::fake::FakeRuntime;

/// A fake runtime that gives pods no address, since an address would follow from the order of events, and that writes
/// down every start beside a running container of an earlier pod of the same name.
#[derive(Clone, Debug)]
pub(crate) struct WatchedRuntime {
    pub(crate) fake: FakeRuntime,
    twins: Arc<Mutex<Vec<String>>>,
}

impl WatchedRuntime {
    pub(crate) fn new(fake: FakeRuntime) -> Self {
        Self { fake, twins: Arc::default() }
    }

    /// What was seen that must never be.
    pub(crate) fn twins(&self) -> Result<(), String> {
        let twins = self.twins.lock().expect("a lock");
        if twins.is_empty() { Ok(()) } else { Err(twins.join("; ")) }
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
        self.fake.start(id, spec).await
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
