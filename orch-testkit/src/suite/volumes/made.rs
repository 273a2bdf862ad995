//! V1: to make what is there changes nothing.

use futures::future::join_all;
use orch_core::runtime::Volumes as _;

use super::VolumesFixture;
use super::steps::{EMPTY, files, made, name, pod, refused, text};

/// A folder that exists keeps what containers wrote, however often it is made, also by a new agent.
pub async fn a_folder_that_exists_keeps_what_is_in_it(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let path = made(&volumes, &EMPTY).await;
    assert!(fixture.is_folder(&path));
    fixture.write(&path.join("a/b"), "written");
    assert_eq!(made(&volumes, &EMPTY).await, path);
    drop(volumes);
    assert_eq!(made(&fixture.open().await, &EMPTY).await, path);
    assert_eq!(fixture.read(&path.join("a/b")).as_deref(), Some("written"), "V1: a folder keeps what is in it");
}

/// Files that are the same are not written again, not even by a new agent.
pub async fn files_that_are_the_same_are_not_written_again(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let source = files(&[("a", "1"), ("b/c", "2")]);
    let path = made(&volumes, &source).await;
    let stamp = fixture.stamp(&path);
    made(&volumes, &source).await;
    drop(volumes);
    made(&fixture.open().await, &source).await;
    assert_eq!(fixture.stamp(&path), stamp, "V1: nothing is written when nothing differs");
    made(&fixture.open().await, &files(&[("a", "1"), ("b/c", "3")])).await;
    assert_ne!(fixture.stamp(&path), stamp, "something is written when something differs");
}

/// Files that a container changed or removed are made right.
pub async fn files_that_a_container_changed_are_made_right(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let wanted = [("a", "1"), ("b/c", "2")];
    let path = made(&volumes, &files(&wanted)).await;
    fixture.write(&path.join("a"), "changed");
    made(&volumes, &files(&wanted)).await;
    assert_eq!(fixture.files(&path), text(&wanted), "V1: what differs is made right");
    fixture.delete(&path.join("a"));
    fixture.delete(&path.join("b"));
    made(&volumes, &files(&wanted)).await;
    for (file, content) in wanted {
        assert_eq!(fixture.read(&path.join(file)).as_deref(), Some(content), "V1: what is missing is made again");
    }
}

/// When several callers make the same volume at once, all succeed and get the same path.
pub async fn callers_that_race_make_one_volume(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    for (volume, source) in [("empty", EMPTY), ("files", files(&[("a", "1"), ("b/c", "2")]))] {
        let (pod, volume) = (pod("a"), name(volume));
        let paths = join_all((0..8).map(|_| volumes.make(&pod, &volume, &source))).await;
        let first = paths[0].as_ref().expect("a volume").clone();
        assert!(paths.iter().all(|path| path.as_ref().is_ok_and(|path| *path == first)), "V1: {paths:?}");
    }
}

/// A volume that is there is not made into one of another kind: the request is Refused.
pub async fn a_volume_does_not_become_another_kind(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let path = made(&volumes, &EMPTY).await;
    fixture.write(&path.join("a"), "written");
    drop(volumes);
    refused(&fixture.open().await, &files(&[("a", "1")])).await;
    assert_eq!(fixture.read(&path.join("a")).as_deref(), Some("written"), "V1: a folder keeps what is in it");
}
