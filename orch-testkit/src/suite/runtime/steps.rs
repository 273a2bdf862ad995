//! The words in which the clauses are written.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::TryStreamExt as _;
use orch_core::runtime::{
    ContainerId, ContainerSpec, ContainerState, ContainerStatus, ExitReason, LogOptions, PodUid, Runtime, SandboxSpec,
    SandboxStatus,
};

use super::{Program, RuntimeFixture};

/// More than any of this takes on a machine that is busy with other things.
pub(in crate::suite) const PATIENCE: Duration = Duration::from_secs(30);

pub(in crate::suite) fn pod(uid: &str) -> PodUid {
    uid.parse().expect("a valid uid")
}

pub(in crate::suite) fn sandbox(uid: &str) -> SandboxSpec {
    SandboxSpec {
        pod: pod(uid),
        namespace: "default".into(),
        name: uid.into(),
        hostname: uid.into(),
        host_network: false,
        dns: None,
        domain: None,
        host_entries: Vec::new(),
    }
}

pub(in crate::suite) fn id(uid: &str, name: &str, attempt: u32) -> ContainerId {
    ContainerId { pod: pod(uid), name: name.parse().expect("a valid name"), attempt }
}

/// Starts a container, and the sandbox if it is not there.
pub(in crate::suite) async fn started(
    runtime: &impl Runtime,
    fixture: &impl RuntimeFixture,
    id: &ContainerId,
    program: Program,
) -> ContainerStatus {
    runtime.create_sandbox(&sandbox(id.pod.as_str())).await.expect("a sandbox is made");
    runtime.start(id, &fixture.container(program)).await.unwrap_or_else(|error| panic!("{program:?}: {error}"));
    container(runtime, id).await
}

pub(in crate::suite) async fn pod_status(runtime: &impl Runtime, uid: &PodUid) -> SandboxStatus {
    let status = runtime.status(uid).await.expect("the status of a pod can be asked for");
    status.unwrap_or_else(|| panic!("R3: pod {uid} was made and not removed, but is not reported"))
}

pub(in crate::suite) async fn container(runtime: &impl Runtime, id: &ContainerId) -> ContainerStatus {
    let mut containers = pod_status(runtime, &id.pod).await.containers.into_iter();
    let found = containers.find(|container| container.id == *id);
    found.unwrap_or_else(|| panic!("R3: container {id} was started and not removed, but is not reported"))
}

/// Asks again and again, until there is an answer.
pub(in crate::suite) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "within {PATIENCE:?}, {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a container has ended.
pub(in crate::suite) async fn ended(runtime: &impl Runtime, id: &ContainerId) -> (ExitReason, i32) {
    eventually("a container that ends must be reported as ended", async || end(&container(runtime, id).await)).await
}

/// How a container ended, if it has.
pub(in crate::suite) fn end(container: &ContainerStatus) -> Option<(ExitReason, i32)> {
    match container.state {
        ContainerState::Exited { reason, code, .. } => Some((reason, code)),
        ContainerState::Running { .. } => None,
    }
}

/// What a container wrote.
pub(in crate::suite) async fn output(runtime: &impl Runtime, id: &ContainerId, options: LogOptions) -> String {
    let stream = runtime.logs(id, options).await.unwrap_or_else(|error| panic!("R8: the output of {id}: {error}"));
    let pieces: Vec<_> = stream.try_collect().await.unwrap_or_else(|error| panic!("R8: the output of {id}: {error}"));
    String::from_utf8_lossy(&pieces.concat()).into_owned()
}

/// Waits until a container has written a line, which tells that it got so far.
pub(in crate::suite) async fn wrote(runtime: &impl Runtime, id: &ContainerId, line: &str) {
    eventually(&format!("R8: the line {line:?} that {id} writes must be readable"), async || {
        let text = output(runtime, id, LogOptions::default()).await;
        text.lines().any(|written| written == line).then_some(())
    })
    .await;
}

/// `line 1`, `line 2`, …
pub(in crate::suite) fn lines(numbers: std::ops::RangeInclusive<u32>) -> String {
    numbers.map(|number| format!("line {number}\n")).collect()
}

/// Starts a container as its spec says, and waits for its end. `Ok` is what it wrote and returned, `Err` the message of
/// a start error.
pub(in crate::suite) async fn ran(
    runtime: &impl Runtime,
    id: &ContainerId,
    spec: &ContainerSpec,
) -> Result<(String, i32), String> {
    runtime.create_sandbox(&sandbox(id.pod.as_str())).await.expect("a sandbox is made");
    runtime.start(id, spec).await.unwrap_or_else(|error| panic!("R7, R10: {spec:?}: {error}"));
    ended(runtime, id).await;
    match container(runtime, id).await.state {
        ContainerState::Exited { reason: ExitReason::StartError, message, .. } => Err(message),
        ContainerState::Exited { code, .. } => Ok((output(runtime, id, LogOptions::default()).await, code)),
        ContainerState::Running { .. } => unreachable!("it has ended"),
    }
}

/// A folder of the node that goes with the clause.
pub(in crate::suite) struct Folder(PathBuf);

impl Folder {
    pub(in crate::suite) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orch-suite-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for temporary files");
        Self(path)
    }

    pub(in crate::suite) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in a folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
