//! The image of a container that is to be started.

use std::collections::BTreeSet;
use std::time::Duration;

use orch_core::object::{Container, ImagePullPolicy};
use orch_core::runtime::{ContainerId, ImageName, PullProgress};

use super::super::attempts::Attempts;
use super::super::crash_loop::in_words;
use super::super::environment::image;
use super::super::pull::{Pull, PullState, pause};
use super::running::{Running, Wanted};
use super::{ImageFound, Step, normal, warning};

/// How often an image is looked for that nobody fetches, and how far a pull has come where nobody tells.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// How long the error of a pull is shown before it is only waited for the next one.
const SHOWN: Duration = Duration::from_secs(5);

/// Why a container waits for its image: reason and message.
pub(super) type Waits = (&'static str, String);

impl<'a> Running<'a> {
    /// What people are to be told with the start, if the image is there; or else why the container waits.
    pub(super) fn image(
        &self,
        attempts: &Attempts<'a>,
        id: &ContainerId,
        wanted: &mut Wanted<'a>,
    ) -> Result<Option<Step>, Waits> {
        let container = attempts.container;
        let shown = container.image.as_deref().unwrap_or_default();
        let name = match image(container).transpose() {
            Ok(Some(name)) => name,
            Ok(None) => return Ok(None),
            Err(message) => {
                let message = format!("Failed to apply default image tag \"{shown}\": {message}");
                wanted.news.push(warning("InspectFailed", message.clone()));
                return Err(("InvalidImageName", message));
            }
        };
        let Some(images) = &self.look.found.images else { return Ok(None) };
        let found = images.get(&name).unwrap_or(&ImageFound::Absent);
        if let ImageFound::Unknown(why) = found {
            wanted.revisit(LOOK_AGAIN);
            let message = format!("Failed to inspect image \"{shown}\": {why}");
            wanted.news.push(warning("InspectFailed", message.clone()));
            return Err(("ImageInspectError", message));
        }
        match (container.image_pull_policy(), found) {
            (ImagePullPolicy::Never, ImageFound::Absent) => {
                wanted.revisit(LOOK_AGAIN);
                let message = format!("Container image \"{shown}\" is not present with pull policy of Never");
                wanted.news.push(warning("ErrImageNeverPull", message.clone()));
                Err(("ErrImageNeverPull", message))
            }
            (ImagePullPolicy::Never, _) => Ok(Some(present(shown))),
            (ImagePullPolicy::IfNotPresent, ImageFound::Present) if !self.look.found.pulls.contains_key(id) => {
                Ok(Some(present(shown)))
            }
            _ => self.pull(container, id, name, wanted),
        }
    }

    /// The same for an image that is to be fetched first.
    fn pull(
        &self,
        container: &Container,
        id: &ContainerId,
        image: ImageName,
        wanted: &mut Wanted<'a>,
    ) -> Result<Option<Step>, Waits> {
        let shown = container.image.as_deref().unwrap_or_default();
        let mut order = |failures| wanted.pulls.push(Pull { id: id.clone(), image: image.clone(), failures });
        match self.look.found.pulls.get(id) {
            Some(PullState::Pulled { took, waited, size_bytes }) => {
                order(0);
                let (took, waited) = (in_words(*took), in_words(*waited));
                let message = format!(
                    "Successfully pulled image \"{shown}\" in {took} ({waited} including waiting). \
                     Image size: {size_bytes} bytes."
                );
                Ok(Some(normal("Pulled", message)))
            }
            None => {
                order(0);
                self.pulling(shown, PullProgress::default(), true, wanted)
            }
            Some(PullState::Pulling { failures, progress }) => {
                order(*failures);
                self.pulling(shown, *progress, false, wanted)
            }
            Some(PullState::Failed { failures, ago, .. }) if *ago >= pause(*failures) => {
                order(*failures);
                wanted.pulls_again = true;
                self.pulling(shown, PullProgress::default(), true, wanted)
            }
            Some(PullState::Failed { message, failures, ago }) => {
                // As it was begun: so it is not begun again.
                order(failures.saturating_sub(1));
                wanted.revisit(pause(*failures).saturating_sub(*ago));
                Err(self.failed(shown, message, *ago, wanted))
            }
        }
    }

    fn pulling(
        &self,
        shown: &str,
        progress: PullProgress,
        begins: bool,
        wanted: &mut Wanted<'a>,
    ) -> Result<Option<Step>, Waits> {
        wanted.revisit(LOOK_AGAIN);
        if begins {
            wanted.pulling.push(normal("Pulling", format!("Pulling image \"{shown}\"")));
        }
        let mut message = format!("pulling image \"{shown}\"");
        if progress.total_bytes > 0 {
            let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
            let (done, total) = (mebibytes(progress.done_bytes), mebibytes(progress.total_bytes));
            message = format!("{message}: {done} of {total} MiB");
        }
        Err((super::creating(self.pod), message))
    }

    fn failed(&self, shown: &str, why: &str, ago: Duration, wanted: &mut Wanted<'a>) -> Waits {
        if let Some(left) = SHOWN.checked_sub(ago).filter(|left| !left.is_zero()) {
            wanted.revisit(left);
            wanted.news.push(warning("Failed", format!("Failed to pull image \"{shown}\": {why}")));
            wanted.news.push(warning("Failed", "Error: ErrImagePull"));
            return ("ErrImagePull", why.to_owned());
        }
        let message = format!("Back-off pulling image \"{shown}\"");
        wanted.news.push(normal("BackOff", message.clone()));
        wanted.news.push(warning("Failed", "Error: ImagePullBackOff"));
        ("ImagePullBackOff", format!("{message}: ErrImagePull: {why}"))
    }

    /// What makes the pulls as wanted, if they are not.
    pub(super) fn pulls(&self, wanted: &mut Wanted<'a>) -> Vec<Step> {
        let ids: BTreeSet<&ContainerId> = wanted.pulls.iter().map(|pull| &pull.id).collect();
        if !wanted.pulls_again && ids == self.look.found.pulls.keys().collect() {
            return Vec::new();
        }
        let mut steps = std::mem::take(&mut wanted.pulling);
        steps.push(Step::Pull(self.uid.clone(), std::mem::take(&mut wanted.pulls)));
        steps
    }
}

fn present(shown: &str) -> Step {
    normal("Pulled", format!("Container image \"{shown}\" already present on machine"))
}
