//! [`gate`]: whether a container can be started as far as its image goes.

use std::time::Duration;

use orch_core::object::{Container, ImagePullPolicy};
use orch_core::runtime::ImageName;

use super::crash_loop::CrashLoopBackoff;
use super::materials::Materials;
use super::puller::Pull;

/// What a container's image allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// It can be started.
    Open,
    /// It cannot be started: reason and message, and when to look again if nothing tells.
    Closed(&'static str, String, Option<Duration>),
    /// Its image is to be fetched first.
    Pull(ImageName),
}

/// Whether a container can be started as far as its image goes, worded as Kubernetes words it. `pull` is what became of
/// the pull that the attempt asked for; `told` is the reason that its status gives now. A pull that failed is tried again
/// after the times of `backoff`.
pub(super) fn gate(
    container: &Container,
    materials: &Materials,
    pull: Option<&Pull>,
    told: Option<&str>,
    backoff: &CrashLoopBackoff,
) -> Gate {
    let text = container.image.as_deref().unwrap_or_default();
    let image: ImageName = match text.parse() {
        Ok(image) => image,
        Err(error) => {
            return Gate::Closed("InvalidImageName", format!("Failed to apply default image tag: {error}"), None);
        }
    };
    let there = match materials.images.get(&image) {
        Some(Ok(there)) => *there,
        Some(Err(why)) => {
            let message = format!("Failed to inspect image {text:?}: {why}");
            return Gate::Closed("ImageInspectError", message, Some(LOOK_AGAIN));
        }
        None => false,
    };
    match container.image_pull_policy() {
        ImagePullPolicy::Never if there => Gate::Open,
        ImagePullPolicy::Never => {
            let message = format!("Container image {text:?} is not present with pull policy of Never");
            Gate::Closed("ErrImageNeverPull", message, Some(LOOK_AGAIN))
        }
        ImagePullPolicy::IfNotPresent if there => Gate::Open,
        ImagePullPolicy::Always | ImagePullPolicy::IfNotPresent => fetched(text, image, there, pull, told, backoff),
    }
}

/// How long until the node is looked at again for what nothing tells of: an image that somebody imported.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

fn fetched(
    text: &str,
    image: ImageName,
    there: bool,
    pull: Option<&Pull>,
    told: Option<&str>,
    backoff: &CrashLoopBackoff,
) -> Gate {
    match pull {
        // It was there when it was fetched, and somebody removed it: once more.
        Some(Pull::Done { .. }) if there => Gate::Open,
        None | Some(Pull::Done { .. }) => Gate::Pull(image),
        Some(Pull::Pulling { progress, .. }) => {
            let done = progress.done_bytes;
            let message = match progress.total_bytes {
                0 => format!("Pulling image {text:?}"),
                total => format!("Pulling image {text:?}: {} of {} MiB", done >> 20, total.div_ceil(1 << 20)),
            };
            Gate::Closed("ContainerCreating", message, Some(LOOK_AGAIN))
        }
        Some(Pull::Failed { message, times, ago }) => {
            let left = backoff.after_failures(*times).saturating_sub(*ago);
            if left.is_zero() {
                return Gate::Pull(image);
            }
            // As in Kubernetes: what went wrong is told first, and then that it is waited.
            if matches!(told, Some("ErrImagePull" | "ImagePullBackOff")) {
                let message = format!("Back-off pulling image {text:?}: ErrImagePull: {message}");
                return Gate::Closed("ImagePullBackOff", message, Some(left));
            }
            Gate::Closed("ErrImagePull", message.clone(), Some(left.min(TOLD_FOR)))
        }
    }
}

/// How long the failure itself is told, before the wait after it is.
const TOLD_FOR: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use orch_core::runtime::PullProgress;

    use super::*;

    fn look(policy: Option<ImagePullPolicy>, there: bool, pull: Option<Pull>, told: Option<&str>) -> Gate {
        let container =
            Container { image: Some("shop/web:1".into()), image_pull_policy: policy, ..Container::default() };
        let name: ImageName = "shop/web:1".parse().expect("a name");
        let materials = Materials { images: [(name, Ok(there))].into(), ..Materials::default() };
        gate(&container, &materials, pull.as_ref(), told, &CrashLoopBackoff::default())
    }

    fn reason(gate: &Gate) -> &str {
        match gate {
            Gate::Open => "open",
            Gate::Closed(reason, ..) => reason,
            Gate::Pull(_) => "pull",
        }
    }

    #[test]
    fn the_policy_decides_whether_an_image_is_fetched() {
        use ImagePullPolicy::{Always, IfNotPresent, Never};
        for (policy, there, expected) in [
            (None, true, "open"),
            (None, false, "pull"),
            (Some(IfNotPresent), true, "open"),
            (Some(Always), true, "pull"),
            (Some(Never), true, "open"),
            (Some(Never), false, "ErrImageNeverPull"),
        ] {
            assert_eq!(reason(&look(policy, there, None, None)), expected, "{policy:?} {there}");
        }
        let done = Some(Pull::Done { took: Duration::ZERO });
        assert_eq!(look(Some(Always), true, done.clone(), None), Gate::Open);
        assert_eq!(reason(&look(Some(Always), false, done, None)), "pull", "it was removed since");
    }

    #[test]
    fn a_pull_that_failed_is_told_then_waited_for_and_tried_again() {
        let failed = |times, seconds| {
            Some(Pull::Failed { message: "no such host".into(), times, ago: Duration::from_secs(seconds) })
        };
        assert_eq!(reason(&look(None, false, failed(1, 0), None)), "ErrImagePull");
        let waits = look(None, false, failed(2, 5), Some("ErrImagePull"));
        assert_eq!(
            waits,
            Gate::Closed(
                "ImagePullBackOff",
                "Back-off pulling image \"shop/web:1\": ErrImagePull: no such host".into(),
                Some(Duration::from_secs(15))
            )
        );
        assert_eq!(reason(&look(None, false, failed(2, 20), Some("ImagePullBackOff"))), "pull");
    }

    #[test]
    fn a_pull_under_way_tells_how_far_it_is_and_a_name_that_is_none_is_told() {
        let progress = PullProgress { done_bytes: 3 << 20, total_bytes: 8 << 20 };
        let Gate::Closed(reason, message, _) = look(None, false, Some(Pull::Pulling { progress, failures: 0 }), None)
        else {
            panic!("it waits")
        };
        assert_eq!((reason, message.as_str()), ("ContainerCreating", "Pulling image \"shop/web:1\": 3 of 8 MiB"));
        let container = Container { image: Some("../x".into()), ..Container::default() };
        let gate = gate(&container, &Materials::default(), None, None, &CrashLoopBackoff::default());
        assert!(matches!(gate, Gate::Closed("InvalidImageName", ..)));
    }
}
