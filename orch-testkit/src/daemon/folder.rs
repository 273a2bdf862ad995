//! A private temporary folder.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

/// A folder that is removed when this is dropped, and when the process ends without dropping it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Removes the folder when its standard input ends. That happens also when this process is killed.
    janitor: Child,
}

impl Folder {
    pub(super) fn new(purpose: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("orch-{purpose}-{}-{number}", process::id()));
        // What a process of the same id left behind, if it could not remove it.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap_or_else(|error| panic!("cannot make the folder {}: {error}", path.display()));
        Self { janitor: janitor_of(&path), path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        // It may have been killed by somebody: then there is nothing to wait for.
        let _ = self.janitor.wait();
    }
}

fn janitor_of(path: &Path) -> Child {
    // A daemon that is being killed may write a last file meanwhile, hence more than one attempt.
    const SCRIPT: &str = "trap '' INT HUP TERM; cat; for n in 1 2 3 4 5; do rm -rf -- \"$0\" && exit; sleep 0.2; done";
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT]).arg(path).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Out of reach of the Ctrl-C that ends the tests.
    command.process_group(0).spawn().expect("`sh` starts")
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
