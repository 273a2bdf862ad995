//! The image that a container is started from.

use orch_core::object::ImagePullPolicy;
use orch_core::runtime::PullProgress;

use super::*;

fn of_image(policy: ImagePullPolicy) -> Pod {
    let mut pod = pod(RestartPolicy::Always, &["web"]);
    pod.spec.containers[0].image = Some("shop/web:1".into());
    pod.spec.containers[0].image_pull_policy = Some(policy);
    pod
}

fn found(image: ImageFound, pull: Option<PullState>) -> Found {
    let name = "shop/web:1".parse().expect("a name");
    let pulls = pull.map(|state| (id("web", 0), state)).into_iter().collect();
    Found { images: Some([(name, image)].into()), pulls, ..Found::default() }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn failed(failures: u32, ago: u64) -> Option<PullState> {
    Some(PullState::Failed { message: "no such image".into(), failures, ago: seconds(ago) })
}

fn pulled() -> Option<PullState> {
    Some(PullState::Pulled { took: seconds(2), waited: seconds(3), size_bytes: 7 })
}

fn pulling(failures: u32) -> Option<PullState> {
    let progress = PullProgress { done_bytes: 3 << 20, total_bytes: 40 << 20 };
    Some(PullState::Pulling { failures, progress })
}

/// What is done, without the status, and why the container waits.
fn decided(pod: &Pod, found: &Found) -> (Vec<String>, String) {
    let (mut words, status) = decide_on(pod, Some(&sandbox(&[])), found, word);
    words.retain(|word| !word.starts_with("status"));
    let waiting = status.container_statuses.first().and_then(|status| status.state.waiting.clone());
    (words, waiting.and_then(|waiting| waiting.reason).unwrap_or_default())
}

#[test]
fn an_image_is_fetched_as_its_policy_says() {
    use ImageFound::{Absent, Present};
    use ImagePullPolicy::{Always, IfNotPresent, Never};
    let pulls = &["pull web/0 try 0", "again in 10 s"][..];
    let starts = &["start web/0", "again in 0 s"][..];
    for (policy, image, pull, acts, waits) in [
        (Always, Absent, None, pulls, "ContainerCreating"),
        (Always, Present, None, pulls, "ContainerCreating"),
        (Always, Present, pulling(0), &["again in 10 s"][..], "ContainerCreating"),
        (Always, Present, pulled(), starts, ""),
        (IfNotPresent, Present, None, starts, ""),
        (IfNotPresent, Absent, None, pulls, "ContainerCreating"),
        (IfNotPresent, Present, pulled(), starts, ""),
        (Never, Present, None, starts, ""),
        (Never, Absent, None, &["again in 10 s"], "ErrImageNeverPull"),
        (IfNotPresent, ImageFound::Unknown("daemon is down".into()), None, &["again in 10 s"], "ImageInspectError"),
    ] {
        let case = format!("{policy:?} {image:?} {pull:?}");
        assert_eq!(
            decided(&of_image(policy), &found(image, pull)),
            (acts.iter().map(|a| (*a).into()).collect(), waits.into()),
            "{case}"
        );
    }
}

#[test]
fn a_pull_that_fails_is_told_then_waited_for_then_tried_again() {
    let pod = of_image(ImagePullPolicy::IfNotPresent);
    for (failures, ago, acts, waits) in [
        (1, 0, &["again in 5 s"][..], "ErrImagePull"),
        (1, 4, &["again in 1 s"], "ErrImagePull"),
        (1, 6, &["again in 4 s"], "ImagePullBackOff"),
        (1, 10, &["pull web/0 try 1", "again in 10 s"], "ContainerCreating"),
        (3, 30, &["again in 10 s"], "ImagePullBackOff"),
        (9, 299, &["again in 1 s"], "ImagePullBackOff"),
        (9, 300, &["pull web/0 try 9", "again in 10 s"], "ContainerCreating"),
    ] {
        let decided = decided(&pod, &found(ImageFound::Absent, failed(failures, ago)));
        assert_eq!(decided, (acts.iter().map(|a| (*a).into()).collect(), waits.into()), "{failures} {ago}");
    }
}

#[test]
fn people_are_told_of_images_in_kubernetes_words() {
    use ImagePullPolicy::{IfNotPresent, Never};
    let took = "Pulled: Successfully pulled image \"shop/web:1\" in 2s (3s including waiting). Image size: 7 bytes.";
    for (policy, image, pull, events) in [
        (Never, ImageFound::Present, None, &["Pulled: Container image \"shop/web:1\" already present on machine"][..]),
        (IfNotPresent, ImageFound::Absent, None, &["Pulling: Pulling image \"shop/web:1\""]),
        (IfNotPresent, ImageFound::Present, pulled(), &[took]),
        (
            IfNotPresent,
            ImageFound::Absent,
            failed(1, 0),
            &["Failed: Failed to pull image \"shop/web:1\": no such image", "Failed: Error: ErrImagePull"],
        ),
        (
            IfNotPresent,
            ImageFound::Absent,
            failed(1, 7),
            &["BackOff: Back-off pulling image \"shop/web:1\"", "Failed: Error: ImagePullBackOff"],
        ),
    ] {
        let (mut told, _) = decide_on(&of_image(policy), Some(&sandbox(&[])), &found(image, pull), super::told);
        told.retain(|words| !words.starts_with("again"));
        assert_eq!(told, events);
    }
    let found = found(ImageFound::Absent, pulling(0));
    let status = decide_on(&of_image(IfNotPresent), Some(&sandbox(&[])), &found, word).1;
    let waiting = status.container_statuses[0].state.waiting.clone().expect("it waits");
    assert_eq!(waiting.message.as_deref(), Some("pulling image \"shop/web:1\": 3 of 40 MiB"));
}

#[test]
fn what_is_no_image_is_told_and_nothing_is_fetched_for_processes() {
    let mut pod = of_image(ImagePullPolicy::Always);
    let (words, waits) = decided(&pod, &Found::default());
    assert_eq!((words, waits), (vec!["start web/0".into(), "again in 0 s".into()], String::new()));
    pod.spec.containers[0].image = Some("../etc".into());
    assert_eq!(decided(&pod, &Found::default()).1, "InvalidImageName");
}

#[test]
fn nothing_is_fetched_for_a_pod_that_ends() {
    let pod = deleting(of_image(ImagePullPolicy::Always), NOW + 30, 30);
    let words = decide_on(&pod, Some(&sandbox(&[])), &found(ImageFound::Absent, pulling(0)), word).0;
    assert_eq!(words, ["pull ", "remove", "again in 0 s"]);
}
