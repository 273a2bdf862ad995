//! The start of a container, and its wait after an end.

use std::path::PathBuf;

use orch_core::clock::Timestamp;
use orch_core::object::Container;
use orch_core::runtime::{ContainerId, VolumeName};

use super::super::attempts::Attempts;
use super::super::crash_loop::{in_words, span};
use super::super::environment::container_spec;
use super::super::status::Observed;
use super::super::termination_message;
use super::super::troubles::Subject;
use super::super::volumes::mounts;
use super::running::{Running, Wanted};
use super::volumes::VolumesState;
use super::{Start, Step, creating, warning};

impl<'a> Running<'a> {
    /// Starts the container's next attempt, or tells what it waits for.
    pub(super) fn start(
        &self,
        attempts: Attempts<'a>,
        volumes: &VolumesState<'a>,
        wanted: &mut Wanted<'a>,
    ) -> Observed<'a> {
        let container = attempts.container;
        let made = match volumes {
            VolumesState::Made(made) => made,
            VolumesState::Missing(message) => return attempts.waiting(creating(self.pod), message.clone()),
        };
        let Ok(name) = container.name.parse() else { return attempts.waiting(creating(self.pod), String::new()) };
        let id = ContainerId { pod: self.uid.clone(), name, attempt: attempts.next() };
        let pulled = match self.image(&attempts, &id, wanted) {
            Ok(pulled) => pulled,
            Err((reason, message)) => return attempts.waiting(reason, message),
        };
        let spec = container_spec(self.pod, container, self.surroundings());
        let (spec, mounts) = match spec.and_then(|spec| Ok((spec, mounts(container, made)?))) {
            Ok(found) => found,
            Err(message) => {
                wanted.news.push(warning("Failed", format!("Error: {message}")));
                return attempts.waiting("CreateContainerConfigError", message);
            }
        };
        wanted.starts.extend(pulled);
        let trouble = self.look.found.troubles.get(&Subject::Start(id.name.clone()));
        wanted.starts.push(Step::Start(Box::new(Start { id, spec, mounts, message: self.message(container) })));
        match trouble {
            Some(trouble) => {
                wanted.tells_first = true;
                attempts.waiting(trouble.reason, trouble.message.clone())
            }
            None => attempts.ended(),
        }
    }

    /// Where the container finds the file for its termination message. A plain process sees the node's own files, so there it
    /// must ask for one.
    fn message(&self, container: &Container) -> Option<(VolumeName, PathBuf)> {
        let found = self.look.found;
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let wanted = given(&container.termination_message_path) || found.images.is_some() && given(&container.image);
        let volume = termination_message::volume(self.pod).filter(|_| wanted && found.volumes.is_some())?;
        Some((volume, container.termination_message_path().into()))
    }

    /// Starts the next attempt when it is time for it.
    pub(super) fn restart(
        &self,
        attempts: Attempts<'a>,
        finished_at: Timestamp,
        volumes: &VolumesState<'a>,
        wanted: &mut Wanted<'a>,
    ) -> Observed<'a> {
        let Some(latest) = attempts.latest else { return self.start(attempts, volumes, wanted) };
        let wait = self.look.config.backoff.wait(latest, attempts.previous);
        let left = wait.saturating_sub(span(finished_at, self.look.now));
        if left.is_zero() {
            return self.start(attempts, volumes, wanted);
        }
        wanted.revisit(left);
        let (container, metadata) = (&attempts.container.name, &self.pod.metadata);
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let pod = format!("{}_{namespace}({})", metadata.name, self.uid);
        let news = format!("Back-off restarting failed container {container} in pod {pod}");
        wanted.news.push(warning("BackOff", news));
        let message = format!("back-off {} restarting failed container={container} pod={pod}", in_words(wait));
        attempts.waiting("CrashLoopBackOff", message)
    }
}
