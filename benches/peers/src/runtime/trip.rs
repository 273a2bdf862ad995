//! A pod from nothing to running, and back to nothing: [`Way`], [`Trips`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use orch_core::runtime::{ContainerId, ContainerSpec, PodUid, Runtime, SandboxSpec};

use super::COMMAND;
use crate::measure::{Cost, Measured, Side, cost_with_programs};
use crate::row::{Goal, Row};

/// A way of making something run and of removing it, killing it.
pub trait Way {
    /// What runs.
    type Running;

    /// Returns when it runs. Nothing else has its number.
    async fn start(&self, number: u32) -> Self::Running;

    /// Returns when nothing of it is left.
    async fn remove(&self, running: Self::Running);
}

/// What one pod costs.
#[derive(Clone, Copy, Debug)]
pub struct Trip {
    pub start: Cost,
    pub remove: Cost,
}

/// Where trips are measured.
pub struct Trips<'a> {
    /// Its thread, or threads, may be in the network of the daemons.
    pub executor: &'a tokio::runtime::Runtime,
    /// Of which the processor time counts, with that of what they start and wait for. Shims are nobody's children.
    pub daemons: Vec<u32>,
    /// How many pods are started, then removed.
    pub pods: usize,
    /// How many of them at a time.
    pub at_once: usize,
}

impl Trips<'_> {
    /// A side of a comparison.
    pub fn side<'a>(&'a self, name: &str, way: &'a impl Way) -> Side<'a, Trip> {
        Side::new(name, || self.executor.block_on(self.trip(way)))
    }

    async fn trip(&self, way: &impl Way) -> Trip {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let starts = stream::iter(0..self.pods).map(|_| way.start(NEXT.fetch_add(1, Ordering::Relaxed)));
        let mut running = Vec::with_capacity(self.pods);
        let start = async { running.extend(starts.buffer_unordered(self.at_once).collect::<Vec<_>>().await) };
        let start = cost_with_programs(&self.daemons, self.pods, start).await;
        let removals = stream::iter(running).map(|one| way.remove(one));
        let remove = removals.buffer_unordered(self.at_once).collect::<Vec<_>>();
        Trip { start, remove: cost_with_programs(&self.daemons, self.pods, remove).await }
    }
}

/// The two rows of a comparison, with the goal of each.
pub fn rows(of: &str, ours: &Measured<Trip>, peer: &Measured<Trip>, goal: Option<Goal>) -> [Row; 2] {
    let row = |what: String, part: fn(&Trip) -> Cost| {
        let row = Row::of(&what, &ours.part(part), &peer.part(part));
        if let Some(goal) = goal { row.goal(goal) } else { row }
    };
    [row(format!("{of}, until it runs"), |trip| trip.start), row(format!("{of}, removed"), |trip| trip.remove)]
}

/// Pods of one container, by one of our runtimes.
pub struct Pods {
    pub runtime: Arc<dyn Runtime>,
    pub spec: ContainerSpec,
}

impl Way for Pods {
    type Running = PodUid;

    async fn start(&self, number: u32) -> PodUid {
        let sandbox = sandbox(number);
        self.runtime.create_sandbox(&sandbox).await.expect("a sandbox");
        self.runtime.start(&container(&sandbox.pod), &self.spec).await.expect("it starts");
        sandbox.pod
    }

    async fn remove(&self, pod: PodUid) {
        self.runtime.remove(&pod).await.expect("it is removed");
    }
}

/// The container of such pods alone, in sandboxes that are there before and stay.
pub struct Containers<'a> {
    pub pods: &'a Pods,
    /// The sandbox.
    pub pod: PodUid,
}

impl Way for Containers<'_> {
    type Running = ContainerId;

    async fn start(&self, number: u32) -> ContainerId {
        // Of few names, since the last attempt of each is remembered.
        let name = format!("c{}", number % 8).parse().expect("a name");
        let id = ContainerId { name, attempt: number, ..container(&self.pod) };
        self.pods.runtime.start(&id, &self.pods.spec).await.expect("it starts");
        id
    }

    async fn remove(&self, id: ContainerId) {
        self.pods.runtime.stop(&id, Duration::ZERO).await.expect("it ends");
        self.pods.runtime.remove_container(&id).await.expect("it is removed");
    }
}

/// A sandbox of which the uid is but letters and digits.
pub fn sandbox(number: u32) -> SandboxSpec {
    let name = format!("pod{number}");
    let pod = name.parse().expect("a uid");
    SandboxSpec {
        pod,
        namespace: "default".into(),
        name: name.clone(),
        hostname: name,
        host_network: false,
        dns: None,
        domain: None,
        host_entries: Vec::new(),
    }
}

/// The container of a pod.
pub fn container(pod: &PodUid) -> ContainerId {
    ContainerId { pod: pod.clone(), name: "main".parse().expect("a name"), attempt: 0 }
}

/// What the container of a pod is.
pub fn spec(image: Option<&str>) -> ContainerSpec {
    let image = image.map(|image| image.parse().expect("the name of an image"));
    ContainerSpec { image, command: COMMAND.map(str::to_owned).into(), ..ContainerSpec::default() }
}
