//! What the fake knows: pods, attempts, and the next address.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use orch_core::clock::Timestamp;
use orch_core::runtime::{
    ContainerId, ContainerName, ContainerSpec, ContainerState, ContainerStats, ContainerStatus, ExitReason, PodStats,
    PodUid, RuntimeError, SandboxSpec, SandboxStatus,
};

use super::{FakeCommand, FakeProgram};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) pods: BTreeMap<PodUid, Pod>,
    pub(super) programs: BTreeMap<String, FakeProgram>,
    pub(super) commands: BTreeMap<String, FakeCommand>,
    addresses: u32,
}

#[derive(Debug)]
pub(super) struct Pod {
    spec: SandboxSpec,
    ip: Ipv4Addr,
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
    pub(super) output: Vec<u8>,
}

impl State {
    /// The sandbox, made if it is not there.
    pub(super) fn create(&mut self, spec: &SandboxSpec, now: Timestamp) -> SandboxStatus {
        let pod = self.pods.entry(spec.pod.clone()).or_insert_with(|| {
            self.addresses += 1;
            Pod {
                spec: spec.clone(),
                ip: Ipv4Addr::from_bits(Ipv4Addr::new(10, 240, 0, 0).to_bits() + self.addresses % (1 << 20)),
                created_at: now,
                attempts: BTreeMap::new(),
                latest: BTreeMap::new(),
            }
        });
        pod.status()
    }

    /// Starts an attempt, unless it was started before, and returns its program if it runs now.
    pub(super) fn start(
        &mut self,
        id: &ContainerId,
        spec: &ContainerSpec,
        now: Timestamp,
    ) -> Result<Option<FakeProgram>, RuntimeError> {
        let program = self.program(id, spec);
        let Some(pod) = self.pods.get_mut(&id.pod) else { return Err(RuntimeError::NoSuchPod { pod: id.pod.clone() }) };
        if pod.attempts.contains_key(&key(id)) {
            return Ok(None);
        }
        if let Some(&latest) = pod.latest.get(&id.name).filter(|&&latest| latest >= id.attempt) {
            return Err(RuntimeError::Superseded { id: ContainerId { attempt: latest, ..id.clone() } });
        }
        let mut others = pod.attempts.iter().filter(|((name, _), attempt)| *name == id.name && attempt.runs());
        if let Some(((_, attempt), _)) = others.next() {
            return Err(RuntimeError::StillRunning { id: ContainerId { attempt: *attempt, ..id.clone() } });
        }
        let attempt = Attempt::new(spec, program.clone(), now);
        let runs = attempt.runs();
        pod.latest.insert(id.name.clone(), id.attempt);
        pod.attempts.insert(key(id), attempt);
        Ok(runs.then_some(program))
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
        if let Some(pod) = self.pods.get_mut(&id.pod) {
            pod.attempts.remove(&key(id));
        }
        Ok(())
    }

    pub(super) fn attempt(&self, id: &ContainerId) -> Option<&Attempt> {
        self.pods.get(&id.pod)?.attempts.get(&key(id))
    }

    fn attempt_mut(&mut self, id: &ContainerId) -> Option<&mut Attempt> {
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
    /// What it uses: nothing that could be measured.
    pub(super) fn stats(&self, at: Timestamp) -> PodStats {
        let running = self.status().containers.into_iter().filter(|container| container.state.is_running());
        let containers = running.map(|container| ContainerStats::unmeasured(container.id)).collect();
        PodStats { pod: self.spec.pod.clone(), at, network: None, containers }
    }

    pub(super) fn status(&self) -> SandboxStatus {
        let containers = self.attempts.iter().map(|((name, number), attempt)| ContainerStatus {
            id: ContainerId { pod: self.spec.pod.clone(), name: name.clone(), attempt: *number },
            spec: attempt.spec.clone(),
            state: attempt.state.clone(),
            process: None,
            image_id: None,
        });
        SandboxStatus {
            spec: self.spec.clone(),
            ip: Some(self.ip.into()),
            ready: true,
            created_at: self.created_at,
            containers: containers.collect(),
        }
    }
}

impl Attempt {
    fn new(spec: &ContainerSpec, program: FakeProgram, now: Timestamp) -> Self {
        let mut output = program.output.clone();
        if program.prints_environment {
            let env: BTreeMap<_, _> = spec.env.iter().map(|(name, value)| (name, value)).collect();
            output.extend(env.into_iter().flat_map(|(name, value)| format!("{name}={value}\n").into_bytes()));
        }
        let state = match &program.start_error {
            None => ContainerState::Running { started_at: now },
            Some(message) => ContainerState::Exited {
                reason: ExitReason::StartError,
                code: 128,
                started_at: now,
                finished_at: now,
                message: message.clone(),
            },
        };
        Self { spec: spec.clone(), program, state, output }
    }

    pub(super) fn runs(&self) -> bool {
        self.state.is_running()
    }
}

fn key(id: &ContainerId) -> (ContainerName, u32) {
    (id.name.clone(), id.attempt)
}
