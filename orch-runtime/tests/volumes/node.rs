//! What only a real node can show: memory, mounts, groups, devices, and containers that are in the way.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use orch_core::runtime::{
    HostPathType, PodUid, VolumeError, VolumeFile, VolumeName, VolumeSource, VolumeUsage, Volumes as _,
};
use orch_runtime::volumes::{NodeVolumes, NodeVolumesConfig};
use orch_testkit::suite::volumes::VolumesFixture as _;

use crate::node_place::NodePlace;

fn pod() -> PodUid {
    "a".parse().expect("valid")
}

fn name(name: &str) -> VolumeName {
    name.parse().expect("valid")
}

fn empty(in_memory: bool, limit_bytes: Option<u64>, group: Option<u32>) -> VolumeSource {
    VolumeSource::Empty { in_memory, limit_bytes, group }
}

fn secret(content: &str, group: Option<u32>) -> VolumeSource {
    let file = VolumeFile { content: content.to_owned().into(), mode: 0o600 };
    VolumeSource::Files { files: [("a".to_owned(), file.clone()), ("b/c".to_owned(), file)].into(), group }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

/// Whether this process may mount: what it may do decides what is to be seen.
async fn may_mount(place: &NodePlace, volumes: &NodeVolumes) -> bool {
    match volumes.make(&pod(), &name("trial"), &empty(true, None, None)).await {
        Ok(path) => {
            assert!(place.mounts().contains(path.to_str().expect("text")), "it is mounted");
            volumes.remove(&pod()).await.expect("removed");
            true
        }
        Err(VolumeError::Refused { message }) => {
            assert!(message.contains("may not mount") && message.contains("run it as root"), "{message}");
            false
        }
        Err(other) => panic!("neither made nor refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_folder_in_memory_holds_what_it_may_and_no_more() {
    let place = NodePlace::new(true);
    let volumes = place.open().await;
    if !may_mount(&place, &volumes).await {
        return;
    }
    let source = empty(true, Some(1 << 20), None);
    let path = volumes.make(&pod(), &name("memory"), &source).await.expect("a volume");
    assert_eq!(mode(&path), 0o777);
    fs::write(path.join("half"), vec![1; 1 << 19]).expect("there is room");
    let full = fs::write(path.join("more"), vec![1; 1 << 20]).expect_err("there is no room");
    assert_eq!(full.raw_os_error(), Some(nix::errno::Errno::ENOSPC as i32));
    let usage = volumes.usage().await.expect("usage")[&pod()][&name("memory")];
    assert_eq!(usage, VolumeUsage { used_bytes: 1 << 20, limit_bytes: Some(1 << 20) });
    drop(volumes);
    let volumes = place.open().await;
    assert_eq!(volumes.make(&pod(), &name("memory"), &source).await.expect("a volume"), path);
    assert!(path.join("half").exists() && place.mounts().len() == 1, "a new agent finds it");
    // As after a boot.
    nix::mount::umount(&path).expect("unmounted");
    volumes.make(&pod(), &name("memory"), &source).await.expect("a volume");
    assert!(!path.join("half").exists() && place.mounts().len() == 1, "it is in memory again");
    let held_open = fs::File::create(path.join("open")).expect("a file");
    volumes.remove(&pod()).await.expect("removed, though a file is open");
    assert!(place.mounts().is_empty());
    drop(held_open);
}

#[tokio::test]
async fn files_are_in_memory_if_that_can_be() {
    let place = NodePlace::new(true);
    let volumes = place.open().await;
    let mounts = may_mount(&place, &volumes).await;
    let path = volumes.make(&pod(), &name("secret"), &secret("1", None)).await.expect("a volume");
    assert_eq!(place.mounts().len(), usize::from(mounts));
    assert_eq!((mode(&path.join("a")), mode(&path.join("b/c"))), (0o600, 0o600));
    // The next agent is told otherwise: what containers look at stays where it is.
    let on_disk = NodeVolumesConfig { files_in_memory: false, ..NodeVolumesConfig::new(place.root()) };
    let volumes = NodeVolumes::open(on_disk).await.expect("volumes");
    volumes.make(&pod(), &name("secret"), &secret("2", None)).await.expect("a volume");
    assert_eq!(place.mounts().len(), usize::from(mounts));
    assert_eq!(fs::read_to_string(path.join("a")).expect("content"), "2");
    volumes.remove(&pod()).await.expect("removed");
    assert!(place.mounts().is_empty());
}

#[tokio::test]
async fn a_group_gets_its_folders_and_files() {
    let place = NodePlace::new(true);
    let volumes = place.open().await;
    let group = 4321;
    let is_root = nix::unistd::geteuid().is_root();
    match volumes.make(&pod(), &name("disk"), &empty(false, None, Some(group))).await {
        Ok(path) => assert_eq!((mode(&path), fs::metadata(&path).expect("it").gid()), (0o2777, group)),
        Err(error) => assert!(!is_root, "{error}"),
    }
    match volumes.make(&pod(), &name("files"), &secret("1", Some(group))).await {
        Ok(path) => {
            let file = fs::metadata(path.join("b/c")).expect("it is there");
            assert_eq!((file.gid(), file.uid(), file.permissions().mode() & 0o7777), (group, 0, 0o640));
        }
        Err(error) => assert!(!is_root, "{error}"),
    }
    if may_mount(&place, &volumes).await {
        let path = volumes.make(&pod(), &name("memory"), &empty(true, None, Some(group))).await.expect("a volume");
        assert_eq!((mode(&path), fs::metadata(&path).expect("it").gid()), (0o2777, group));
    }
}

#[tokio::test]
async fn sockets_and_devices_are_told_apart() {
    let place = NodePlace::new(true);
    let volumes = place.open().await;
    let socket = place.outside().join("socket");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    let make = async |path: &Path, expects| {
        let source = VolumeSource::HostPath { path: path.to_owned(), expects };
        volumes.make(&pod(), &name("host"), &source).await
    };
    let path = make(&socket, HostPathType::Socket).await.expect("it is one");
    assert!(fs::metadata(path).expect("it is there").file_type().is_socket());
    make(Path::new("/dev/null"), HostPathType::CharDevice).await.expect("it is one");
    for (path, expects, found) in [
        (socket.as_path(), HostPathType::File, "a socket"),
        (Path::new("/dev/null"), HostPathType::BlockDevice, "a character device"),
        (Path::new("/dev/null"), HostPathType::File, "a character device"),
    ] {
        let message = make(path, expects).await.expect_err("it is not").to_string();
        assert!(message.contains(found), "{message}");
    }
    symlink("round", place.outside().join("round")).expect("a link");
    let message = make(&place.outside().join("round"), HostPathType::Any).await.expect_err("a circle").to_string();
    assert!(message.contains("in a circle"), "{message}");
}

#[tokio::test]
async fn a_part_stays_what_it_is_when_a_container_replaces_it_by_a_link() {
    let place = NodePlace::new(true);
    let volumes = place.open().await;
    let mounts = may_mount(&place, &volumes).await;
    let volume = volumes.make(&pod(), &name("data"), &empty(false, None, None)).await.expect("a volume");
    fs::write(place.outside().join("file"), "secret").expect("a file");
    let part = volumes.resolve(&pod(), &name("data"), &volume, "part").await.expect("a part");
    assert_eq!(mode(&part), 0o777);
    fs::write(part.join("file"), "own").expect("a file");
    fs::rename(volume.join("part"), volume.join("away")).expect("renamed");
    symlink(place.outside(), volume.join("part")).expect("a link");
    if mounts {
        assert_eq!(fs::read_to_string(part.join("file")).expect("content"), "own");
        assert_eq!(place.mounts().len(), 1);
    }
    let refused = volumes.resolve(&pod(), &name("data"), &volume, "part").await;
    assert!(matches!(refused, Err(VolumeError::Refused { .. })), "{refused:?}");
    fs::remove_file(volume.join("part")).expect("removed");
    fs::write(volume.join("part"), "now a file").expect("a file");
    let part = volumes.resolve(&pod(), &name("data"), &volume, "part").await.expect("a part");
    assert_eq!(fs::read_to_string(part).expect("content"), "now a file");
    volumes.remove(&pod()).await.expect("removed");
    assert!(place.mounts().is_empty());
}

#[tokio::test]
async fn what_others_mounted_into_a_volume_is_not_deleted() {
    let place = NodePlace::new(true);
    let volumes = place.open().await;
    if !may_mount(&place, &volumes).await {
        return;
    }
    let volume = volumes.make(&pod(), &name("data"), &empty(false, None, None)).await.expect("a volume");
    fs::create_dir_all(volume.join("deep/mounted")).expect("folders");
    fs::write(place.outside().join("file"), "theirs").expect("a file");
    let (from, to, none) = (place.outside(), volume.join("deep/mounted"), None::<&str>);
    nix::mount::mount(Some(&from), &to, none, nix::mount::MsFlags::MS_BIND, none).expect("mounted");
    let message = volumes.remove(&pod()).await.expect_err("something is in the way").to_string();
    assert!(message.contains("unmount it") || message.contains("busy"), "{message}");
    assert_eq!(fs::read_to_string(place.outside().join("file")).expect("content"), "theirs");
    assert!(volumes.usage().await.expect("usage").contains_key(&pod()), "what was not removed is still listed");
    for point in place.mounts() {
        nix::mount::umount(point.as_str()).expect("unmounted");
    }
    volumes.remove(&pod()).await.expect("removed");
    assert!(!place.root().join("pods/a").exists());
}

#[tokio::test]
async fn a_root_folder_that_cannot_be_is_told() {
    let place = NodePlace::new(true);
    fs::write(place.root(), "a file").expect("a file");
    let error = NodeVolumes::open(NodeVolumesConfig::new(place.root())).await.expect_err("it is a file");
    assert!(error.to_string().contains("cannot use the folder of volumes"), "{error}");
}
