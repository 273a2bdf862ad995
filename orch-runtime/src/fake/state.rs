//! What the fake knows: pods, attempts, and the next address.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::runtime::{
    ContainerId, ContainerName, ContainerSpec, ContainerState, ContainerStats, ContainerStatus, ExitReason, PodStats,
    PodUid, RuntimeError, SandboxSpec, SandboxStatus,
};

use super::images::Store;
use super::output::Output;
use super::{FakeCommand, FakeProgram, FakeUsage, container};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) pods: BTreeMap<PodUid, Pod>,
    pub(super) programs: BTreeMap<String, FakeProgram>,
    pub(super) commands: BTreeMap<String, FakeCommand>,
    pub(super) images: Store,
    addresses: u32,
}

#[derive(Debug)]
pub(super) struct Pod {
    spec: SandboxSpec,
    ip: Ipv4Addr,
    /// Whether nobody destroyed what its containers share.
    ready: bool,
    created_at: Timestamp,
    attempts: BTreeMap<(ContainerName, u32), Attempt>,
    /// The latest attempt of each container, whether it was removed or not.
    latest: BTreeMap<ContainerName, u32>,
}

#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) spec: ContainerSpec,
    pub(super) program: FakeProgram,
    pub(super) state: ContainerState,
    pub(super) output: Output,
    image_id: Option<String>,
}

impl State {
    /// The sandbox, made if it is not there or was destroyed.
    pub(super) fn create(&mut self, spec: &SandboxSpec, now: Timestamp) -> Result<SandboxStatus, RuntimeError> {
        if let Some(pod) = self.pods.get(&spec.pod) {
            if pod.ready {
                return Ok(pod.status());
            }
            if let Some(running) = pod.status().containers.into_iter().find(|container| container.state.is_running()) {
                return Err(RuntimeError::StillRunning { id: running.id });
            }
        }
        self.addresses += 1;
        let ip = Ipv4Addr::from_bits(Ipv4Addr::new(10, 240, 0, 0).to_bits() + self.addresses % (1 << 20));
        let pod = self.pods.entry(spec.pod.clone()).or_insert_with(|| Pod {
            spec: spec.clone(),
            ip,
            ready: true,
            created_at: now,
            attempts: BTreeMap::new(),
            latest: BTreeMap::new(),
        });
        (pod.ip, pod.ready) = (ip, true);
        Ok(pod.status())
    }

    /// Takes away what the containers of a pod share, and tells whether it was there.
    pub(super) fn destroy(&mut self, pod: &PodUid) -> bool {
        self.pods.get_mut(pod).is_some_and(|pod| std::mem::take(&mut pod.ready))
    }

    /// Starts an attempt, unless it was started before, and returns its program if it runs now.
    pub(super) fn start(
        &mut self,
        id: &ContainerId,
        spec: &ContainerSpec,
        now: Timestamp,
    ) -> Result<Option<FakeProgram>, RuntimeError> {
        let program = self.program(id, spec);
        let image_id = spec.image.as_ref().and_then(|image| self.images.find(image)).map(|image| image.id);
        let Some(pod) = self.pods.get_mut(&id.pod) else { return Err(RuntimeError::NoSuchPod { pod: id.pod.clone() }) };
        if pod.attempts.contains_key(&key(id)) {
            return Ok(None);
        }
        if !pod.ready {
            return Err(RuntimeError::NoSuchPod { pod: id.pod.clone() });
        }
        if let Some(&latest) = pod.latest.get(&id.name).filter(|&&latest| latest >= id.attempt) {
            return Err(RuntimeError::Superseded { id: ContainerId { attempt: latest, ..id.clone() } });
        }
        let mut others = pod.attempts.iter().filter(|((name, _), attempt)| *name == id.name && attempt.runs());
        if let Some(((_, attempt), _)) = others.next() {
            return Err(RuntimeError::StillRunning { id: ContainerId { attempt: *attempt, ..id.clone() } });
        }
        match &spec.image {
            Some(image) if self.images.required && image_id.is_none() => {
                return Err(RuntimeError::NoSuchImage { image: image.clone() });
            }
            _ => {}
        }
        let mut attempt = Attempt::new(spec, program, now);
        attempt.image_id = image_id;
        let exit = attempt.begin(&pod.spec, now);
        let program = attempt.runs().then(|| FakeProgram { exit, ..attempt.program.clone() });
        pod.latest.insert(id.name.clone(), id.attempt);
        pod.attempts.insert(key(id), attempt);
        Ok(program)
    }

    /// Ends an attempt if it runs, and tells whether it did.
    pub(super) fn end(&mut self, id: &ContainerId, reason: ExitReason, code: i32, now: Timestamp) -> bool {
        let Some(attempt) = self.attempt_mut(id) else { return false };
        let ContainerState::Running { started_at } = attempt.state else { return false };
        attempt.state = ContainerState::Exited { reason, code, started_at, finished_at: now, message: String::new() };
        true
    }

    /// Forgets an attempt that has ended.
    pub(super) fn remove_attempt(&mut self, id: &ContainerId) -> Result<(), RuntimeError> {
        if self.attempt(id).is_some_and(Attempt::runs) {
            return Err(RuntimeError::StillRunning { id: id.clone() });
        }
        self.lose(id);
        Ok(())
    }

    /// Forgets an attempt, and tells whether it was there.
    pub(super) fn lose(&mut self, id: &ContainerId) -> bool {
        self.pods.get_mut(&id.pod).is_some_and(|pod| pod.attempts.remove(&key(id)).is_some())
    }

    /// A container that was started from an image.
    pub(super) fn user_of_image(&self, image: &str) -> Option<ContainerId> {
        let mut containers = self.pods.values().flat_map(|pod| pod.status().containers);
        containers.find(|container| container.image_id.as_deref() == Some(image)).map(|container| container.id)
    }

    /// A running container of a pod that serves a port.
    pub(super) fn server(&self, uid: &PodUid, port: u16) -> Result<Option<ContainerId>, RuntimeError> {
        let Some(pod) = self.pods.get(uid) else { return Err(RuntimeError::NoSuchPod { pod: uid.clone() }) };
        let serves = |attempt: &Attempt| attempt.runs() && attempt.program.serves == Some(port);
        let mut servers = pod.attempts.iter().filter(|(_, attempt)| serves(attempt));
        Ok(servers.next().map(|((name, attempt), _)| ContainerId {
            pod: uid.clone(),
            name: name.clone(),
            attempt: *attempt,
        }))
    }

    pub(super) fn attempt(&self, id: &ContainerId) -> Option<&Attempt> {
        self.pods.get(&id.pod)?.attempts.get(&key(id))
    }

    pub(super) fn attempt_mut(&mut self, id: &ContainerId) -> Option<&mut Attempt> {
        self.pods.get_mut(&id.pod)?.attempts.get_mut(&key(id))
    }

    /// The script by the container's name, by its program or by its image, whichever is found first.
    fn program(&self, id: &ContainerId, spec: &ContainerSpec) -> FakeProgram {
        let image = spec.image.as_ref().map(ToString::to_string);
        let names = [Some(id.name.as_str()), spec.command.first().map(String::as_str), image.as_deref()];
        names.into_iter().flatten().find_map(|name| self.programs.get(name)).cloned().unwrap_or_default()
    }
}

impl Pod {
    /// What it uses, as far as scripts say.
    pub(super) fn stats(&self, at: Timestamp) -> PodStats {
        let running = self.attempts.iter().filter(|(_, attempt)| attempt.runs());
        let containers = running.map(|((name, number), attempt)| {
            let id = ContainerId { pod: self.spec.pod.clone(), name: name.clone(), attempt: *number };
            attempt.stats(id, at)
        });
        PodStats { pod: self.spec.pod.clone(), at, network: None, containers: containers.collect() }
    }

    pub(super) fn status(&self) -> SandboxStatus {
        let containers = self.attempts.iter().map(|((name, number), attempt)| ContainerStatus {
            id: ContainerId { pod: self.spec.pod.clone(), name: name.clone(), attempt: *number },
            spec: attempt.spec.clone(),
            state: attempt.state.clone(),
            process: None,
            image_id: attempt.image_id.clone(),
        });
        SandboxStatus {
            spec: self.spec.clone(),
            ip: Some(self.ip.into()),
            ready: self.ready,
            created_at: self.created_at,
            containers: containers.collect(),
        }
    }
}

impl Attempt {
    fn new(spec: &ContainerSpec, program: FakeProgram, now: Timestamp) -> Self {
        let state = match program.start_error.clone().or_else(|| container::obstacle(spec)) {
            None => ContainerState::Running { started_at: now },
            Some(message) => ContainerState::Exited {
                reason: ExitReason::StartError,
                code: 128,
                started_at: now,
                finished_at: now,
                message,
            },
        };
        Self { spec: spec.clone(), program, state, output: Output::default(), image_id: None }
    }

    /// Does what it does at its start, if it runs. Returns when and how it ends by itself.
    fn begin(&mut self, pod: &SandboxSpec, now: Timestamp) -> Option<(Duration, i32)> {
        if !self.runs() {
            return None;
        }
        let failed = container::begin(&self.program, &self.spec, pod, &mut self.output, now);
        let input_is_empty = self.program.echoes && !self.spec.stdin;
        let used = self.program.usage.map(|usage| usage.memory_bytes);
        if self.spec.limits.memory_bytes.is_some_and(|limit| used.is_some_and(|used| used > limit)) {
            let (reason, message) = (ExitReason::OutOfMemory, String::new());
            self.state = ContainerState::Exited { reason, code: 137, started_at: now, finished_at: now, message };
        }
        let at_once = failed.or(input_is_empty.then_some(0)).map(|code| (Duration::ZERO, code));
        at_once.or(self.program.exit)
    }

    /// Whether what is sent as its input is read.
    pub(super) fn reads_input(&self) -> bool {
        self.program.echoes && self.spec.stdin
    }

    fn stats(&self, id: ContainerId, at: Timestamp) -> ContainerStats {
        let unmeasured = ContainerStats::unmeasured(id);
        let (Some(FakeUsage { cpu_millis, memory_bytes, processes }), ContainerState::Running { started_at }) =
            (self.program.usage, &self.state)
        else {
            return unmeasured;
        };
        let ran = u64::try_from(at.duration_since(*started_at).as_nanos()).unwrap_or_default();
        ContainerStats {
            cpu_nanos: Some(ran / 1000 * cpu_millis),
            memory_bytes: Some(memory_bytes),
            working_set_bytes: Some(memory_bytes),
            rss_bytes: Some(memory_bytes),
            processes: Some(processes.min(self.spec.limits.processes.unwrap_or(u64::MAX))),
            log_bytes: Some(self.output.len() as u64),
            ..unmeasured
        }
    }

    pub(super) fn runs(&self) -> bool {
        self.state.is_running()
    }
}

fn key(id: &ContainerId) -> (ContainerName, u32) {
    (id.name.clone(), id.attempt)
}
