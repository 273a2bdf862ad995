//! [`NodePlace`]: what the suite of volumes needs to know of [`NodeVolumes`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use orch_runtime::volumes::{NodeVolumes, NodeVolumesConfig};
use orch_testkit::suite::volumes::VolumesFixture;

/// A folder of this machine, which goes at the end, with all that is mounted below it.
pub(crate) struct NodePlace {
    folder: PathBuf,
    files_in_memory: bool,
}

impl NodePlace {
    pub(crate) fn new(files_in_memory: bool) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let folder = std::env::temp_dir().join(format!("orch-volumes-{}-{number}.place", std::process::id()));
            match fs::create_dir(&folder) {
                Ok(()) => {
                    let folder = folder.canonicalize().expect("a path");
                    fs::create_dir(folder.join("outside")).expect("a folder");
                    return Self { folder, files_in_memory };
                }
                // It is left of an earlier process of the same number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("no folder {}: {error}", folder.display()),
            }
        }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("node")
    }

    /// What is mounted below the root.
    pub(crate) fn mounts(&self) -> BTreeSet<String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
        points.filter(|point| Path::new(point).starts_with(self.root())).map(str::to_owned).collect()
    }
}

impl Drop for NodePlace {
    fn drop(&mut self) {
        for point in self.mounts().iter().rev() {
            // Another mount may have gone with it.
            let _ = nix::mount::umount2(point.as_str(), nix::mount::MntFlags::MNT_DETACH);
        }
        // What cannot be removed is in a folder for temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[async_trait]
impl VolumesFixture for NodePlace {
    type Volumes = NodeVolumes;

    async fn open(&self) -> NodeVolumes {
        let config = NodeVolumesConfig { files_in_memory: self.files_in_memory, ..NodeVolumesConfig::new(self.root()) };
        NodeVolumes::open(config).await.expect("volumes")
    }

    fn outside(&self) -> PathBuf {
        self.folder.join("outside")
    }

    fn write(&self, path: &Path, content: &str) {
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
            fs::remove_file(path).expect("removed");
        }
        fs::write(path, content).expect("written");
    }

    fn link(&self, path: &Path, target: &Path) {
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        symlink(target, path).expect("a link");
    }

    fn delete(&self, path: &Path) {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path).expect("removed"),
            Ok(_) => fs::remove_file(path).expect("removed"),
            Err(_) => {}
        }
    }

    fn read(&self, path: &Path) -> Option<String> {
        fs::read_to_string(path).ok()
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn files(&self, volume: &Path) -> BTreeMap<String, String> {
        loop {
            let version = fs::read_link(volume.join("..data")).expect("a version");
            let mut files = BTreeMap::new();
            let read = read_all(&volume.join(&version), "", &mut files);
            // Only a version that is not valid any more is being removed.
            if fs::read_link(volume.join("..data")).expect("a version") == version {
                read.expect("files");
                return files;
            }
        }
    }

    fn stamp(&self, volume: &Path) -> String {
        let mut paths = BTreeSet::new();
        all_paths(volume, &mut paths);
        let stamp = |path: &String| {
            let metadata = fs::symlink_metadata(path).expect("it is there");
            format!("{path} {} {} {}", metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        };
        paths.iter().map(stamp).collect::<Vec<_>>().join("\n")
    }

    fn others_can_read(&self, path: &Path) -> bool {
        let real = path.canonicalize().expect("it is there");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode();
        mode(&real) & 0o004 != 0 && real.ancestors().skip(1).all(|folder| mode(folder) & 0o001 != 0)
    }

    fn traces(&self) -> BTreeSet<String> {
        let mut traces = self.mounts();
        all_paths(&self.root(), &mut traces);
        traces
    }
}

fn read_all(folder: &Path, below: &str, into: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_str().expect("text"));
        if entry.file_type()?.is_dir() {
            read_all(&entry.path(), &format!("{name}/"), into)?;
        } else {
            into.insert(name, fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}

/// Every file and folder below a folder; links are not followed.
fn all_paths(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        into.insert(entry.path().display().to_string());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all_paths(&entry.path(), into);
        }
    }
}
