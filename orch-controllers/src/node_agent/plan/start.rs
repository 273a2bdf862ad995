//! [`Running::start`]: what a container waits for before it is started.

use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::runtime::{ContainerId, ContainerName, VolumeName, VolumeSource};

use super::super::attempts::Attempts;
use super::super::crash_loop::{in_words, span};
use super::super::environment::container_spec;
use super::super::images::{Gate, gate};
use super::super::materials::References;
use super::super::status::Observed;
use super::super::volumes::{fingerprint, mounts, sources};
use super::Step;
use super::running::{Running, Wanted};

/// How long until it is looked again for what nothing tells of: a config map that was made.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl<'a> Running<'a> {
    /// Starts the container's next attempt, or tells what it waits for.
    pub(super) fn start(&self, attempts: Attempts<'a>, wanted: &mut Wanted<'a>) -> Observed<'a> {
        let Ok(name) = attempts.container.name.parse::<ContainerName>() else { return attempts.waiting_to_begin() };
        let id = ContainerId { pod: self.uid.clone(), name, attempt: attempts.next() };
        if let Some(why) = &wanted.held_back {
            let why = why.clone();
            return attempts.waiting("ContainerCreating", why);
        }
        if self.look.gives.images {
            let told = attempts.stored.and_then(|stored| stored.state.waiting.as_ref()?.reason.as_deref());
            let pull = self.look.pulls.get(&id);
            match gate(attempts.container, self.look.materials, pull, told, &self.look.config.backoff) {
                Gate::Open => {}
                Gate::Closed(reason, message, again) => {
                    wanted.revisit(again);
                    return attempts.waiting(reason, message);
                }
                Gate::Pull(image) => {
                    let message = format!("Pulling image \"{image}\"");
                    wanted.pulls.push(Step::Pull(id, image));
                    return attempts.waiting("ContainerCreating", message);
                }
            }
        }
        let around = self.look.surroundings(self.pod_ip());
        let spec = match container_spec(self.pod, attempts.container, self.look.materials, around) {
            Ok(spec) => spec,
            Err(message) => {
                // What is missing may be made; a field that there is not will not.
                wanted.revisit((!References::of(self.pod).is_empty()).then_some(LOOK_AGAIN));
                return attempts.waiting("CreateContainerConfigError", message);
            }
        };
        let Some(mounts) = mounts(self.pod, attempts.container, &id, &self.look.memory.volumes) else {
            return attempts.waiting_to_begin();
        };
        wanted.starts.push(Step::Start(id, Box::new(spec), Box::new(mounts)));
        // Where it was tried before, it is told why that did not succeed.
        match &self.look.memory.trouble {
            Some(trouble) if trouble.reason == "FailedMount" => {
                attempts.waiting("ContainerCreating", trouble.message.clone())
            }
            Some(trouble) => attempts.waiting("CreateContainerError", trouble.message.clone()),
            None => attempts.ended(),
        }
    }

    pub(super) fn restart(
        &self,
        attempts: Attempts<'a>,
        finished_at: Timestamp,
        wanted: &mut Wanted<'a>,
    ) -> Observed<'a> {
        let Some(latest) = attempts.latest else { return self.start(attempts, wanted) };
        let wait = self.look.config.backoff.wait(latest, attempts.previous);
        let left = wait.saturating_sub(span(finished_at, self.look.now));
        if left.is_zero() {
            return self.start(attempts, wanted);
        }
        wanted.revisit(Some(left));
        let metadata = &self.pod.metadata;
        let message = format!(
            "back-off {} restarting failed container={} pod={}_{}({})",
            in_words(wait),
            attempts.container.name,
            metadata.name,
            metadata.namespace.as_deref().unwrap_or_default(),
            self.uid
        );
        attempts.waiting("CrashLoopBackOff", message)
    }

    /// Makes the volumes that are not as they should be. Until all were made once, no container is started.
    pub(super) fn volumes(&self, wanted: &mut Wanted<'a>) {
        let wants_any = !self.pod.spec.volumes.is_empty();
        if !self.look.gives.volumes {
            let why = "this node has no place for volumes: run the pod on another one, or without volumes";
            wanted.held_back = wants_any.then(|| why.to_owned());
            return;
        }
        // Where containers have images, they have a file for their last words.
        let around = self.look.surroundings(self.pod_ip());
        let sources = match sources(self.pod, self.look.materials, around, self.look.gives.images) {
            Ok(sources) => sources,
            Err(why) => {
                wanted.held_back = Some(why);
                return wanted.revisit(Some(LOOK_AGAIN));
            }
        };
        let made = &self.look.memory.volumes;
        let is_new = |(name, source): &(VolumeName, VolumeSource)| {
            made.get(name).is_none_or(|made| made.fingerprint != fingerprint(source))
        };
        if sources.iter().any(|(name, _)| !made.contains_key(name)) {
            let trouble = self.look.memory.trouble.as_ref();
            wanted.held_back = Some(trouble.map(|trouble| trouble.message.clone()).unwrap_or_default());
        }
        let new: Vec<_> = sources.into_iter().filter(is_new).collect();
        if !new.is_empty() {
            wanted.volumes = Some(Step::MakeVolumes(self.uid.clone(), new));
        }
        if References::of(self.pod).mounted {
            wanted.revisit(Some(self.look.config.refresh_every));
        }
    }
}
