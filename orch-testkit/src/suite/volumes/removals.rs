//! V4: nothing is left behind.

use orch_core::runtime::{HostPathType, Volumes as _};

use super::VolumesFixture;
use super::steps::{EMPTY, files, host_path, made, name, part, pod};

/// After remove nothing of the pod is left: no file, no folder, no mount.
pub async fn nothing_is_left(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let before = fixture.traces();
    let path = made(&volumes, &EMPTY).await;
    let deep = (0..100).fold(path.clone(), |path, _| path.join("deep"));
    fixture.write(&deep.join("file"), "written");
    part(&volumes, &path, "part/of/it").await;
    for number in 0..3 {
        let source = files(&[("a", &number.to_string()), ("b/c", "1")]);
        volumes.make(&pod("a"), &name("files"), &source).await.expect("a volume");
    }
    assert_ne!(fixture.traces(), before);
    volumes.remove(&pod("a")).await.expect("removed");
    assert_eq!(fixture.traces(), before, "V4: after remove there is what was there before");
    assert!(volumes.usage().await.expect("usage").is_empty(), "V4: nothing of it is listed");
}

/// A new agent lists what an earlier one made, and removes it.
pub async fn nothing_is_left_of_what_an_earlier_agent_made(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let before = fixture.traces();
    let path = made(&volumes, &EMPTY).await;
    part(&volumes, &path, "part").await;
    volumes.make(&pod("b"), &name("files"), &files(&[("a", "1")])).await.expect("a volume");
    drop(volumes);
    let volumes = fixture.open().await;
    let listed: Vec<_> = volumes.usage().await.expect("usage").into_keys().collect();
    assert_eq!(listed, [pod("a"), pod("b")], "V4: what an earlier agent made is listed");
    for pod in &listed {
        volumes.remove(pod).await.expect("removed");
    }
    assert_eq!(fixture.traces(), before, "V4: after remove there is what was there before");
}

/// What is behind a host path stays when the pod is removed.
pub async fn what_is_behind_a_host_path_stays(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let folder = fixture.outside().join("folder");
    fixture.write(&folder.join("inner/kept"), "kept");
    let path = made(&volumes, &host_path(&folder, HostPathType::Directory)).await;
    assert_eq!(fixture.read(&path.join("inner/kept")).as_deref(), Some("kept"));
    part(&volumes, &path, "inner").await;
    volumes.remove(&pod("a")).await.expect("removed");
    assert_eq!(fixture.read(&folder.join("inner/kept")).as_deref(), Some("kept"), "V4: what is the node's stays");
}

/// Removing a pod that is not known succeeds, and so does removing one again.
pub async fn what_is_not_known_is_removed(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    volumes.remove(&pod("a")).await.expect("removing a pod that is not known is no error");
    made(&volumes, &EMPTY).await;
    for _ in 0..2 {
        volumes.remove(&pod("a")).await.expect("removing twice is no error");
    }
    let path = made(&volumes, &EMPTY).await;
    assert!(fixture.is_folder(&path), "it can be made again");
}

/// Removing a pod leaves the volumes of others alone.
pub async fn other_pods_keep_their_volumes(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    made(&volumes, &EMPTY).await;
    let other = volumes.make(&pod("a-b"), &name("data"), &EMPTY).await.expect("a volume");
    fixture.write(&other.join("kept"), "kept");
    volumes.remove(&pod("a")).await.expect("removed");
    assert_eq!(fixture.read(&other.join("kept")).as_deref(), Some("kept"), "V4: others keep their volumes");
}
