//! A private temporary folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use super::janitor::Janitor;

/// A folder that is removed when this is dropped, and when the process ends without dropping it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _janitor: Janitor,
}

impl Folder {
    pub(super) fn new(purpose: &str) -> Self {
        // A daemon that is being killed may write a last file meanwhile, hence more than one attempt.
        const SCRIPT: &str = "for n in 1 2 3 4 5; do rm -rf -- \"$0\" && exit; sleep 0.2; done";
        let path = make(purpose);
        Self { _janitor: Janitor::hire(SCRIPT, &path, []), path }
    }

    /// One whose daemons run containers, in this cgroup: they, their mounts and cgroups go before the folder does.
    pub(super) fn of_containers(purpose: &str, cgroup: &str) -> Self {
        const SCRIPT: &str = include_str!("sweep.sh");
        let path = make(purpose);
        Self { _janitor: Janitor::hire(SCRIPT, &path, [cgroup, &process::id().to_string()]), path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn make(purpose: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = env::temp_dir().join(format!("orch-{purpose}-{}-{number}", process::id()));
    // What a process of the same id left behind, if it could not remove it.
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).unwrap_or_else(|error| panic!("cannot make the folder {}: {error}", path.display()));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_removed_with_what_is_in_it() {
        let folder = Folder::new("test");
        let path = folder.path().to_owned();
        fs::write(path.join("file"), "content").expect("a file can be written");
        drop(folder);
        assert!(!path.exists());
    }
}
