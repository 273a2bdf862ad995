//! What volumes use.

use orch_core::runtime::{HostPathType, VolumeSource, VolumeUsage, Volumes as _};

use super::VolumesFixture;
use super::steps::{files, host_path, made, name, pod};

/// Usage tells what is used, with the limit, also to a new agent.
pub async fn what_is_written_is_counted(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let source = VolumeSource::Empty { in_memory: false, limit_bytes: Some(1 << 20), group: None };
    let path = made(&volumes, &source).await;
    volumes.make(&pod("b"), &name("files"), &files(&[("a", &"x".repeat(10_000))])).await.expect("a volume");
    let before = volumes.usage().await.expect("usage")[&pod("a")][&name("data")];
    fixture.write(&path.join("deep/in/it"), &"x".repeat(100_000));
    drop(volumes);
    let usage = fixture.open().await.usage().await.expect("usage");
    let VolumeUsage { used_bytes, limit_bytes } = usage[&pod("a")][&name("data")];
    let grown = used_bytes - before.used_bytes;
    assert!((100_000..200_000).contains(&grown), "{grown} bytes more are used");
    assert_eq!((before.limit_bytes, limit_bytes), (Some(1 << 20), Some(1 << 20)), "the limit is told");
    let files = usage[&pod("b")][&name("files")];
    assert!(files.used_bytes >= 10_000 && files.limit_bytes.is_none(), "{files:?}");
}

/// What is behind a host path is not counted.
pub async fn what_is_behind_a_host_path_is_not_counted(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    fixture.write(&fixture.outside().join("folder/large"), &"x".repeat(100_000));
    made(&volumes, &host_path(fixture.outside().join("folder"), HostPathType::Directory)).await;
    let usage = volumes.usage().await.expect("usage");
    assert!(usage.values().all(|volumes| volumes.is_empty()), "{usage:?}");
}
