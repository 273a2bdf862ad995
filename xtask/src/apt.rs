//! [`Apt`]: Debian's packages, unpacked into a folder rather than installed.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::succeeds;

/// Debian's packages. Lists and cache are in a folder of its own: the machine's are root's, and may be empty.
pub(crate) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// What there is now. The error says what went wrong, as part of a sentence.
    pub(crate) fn new(folder: PathBuf) -> Result<Self, String> {
        for inner in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(inner))
                .map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
        }
        let apt = Self { folder };
        succeeds(apt.get().arg("update"))?;
        Ok(apt)
    }

    /// Gets these packages, and nothing that they depend on.
    pub(crate) fn download(&self, packages: &[&str]) -> Result<(), String> {
        succeeds(self.get().arg("download").args(packages))
    }

    /// Gets a package, and all that it depends on and is not installed.
    pub(crate) fn download_with_dependencies(&self, package: &str) -> Result<(), String> {
        let mut get = self.get();
        // Nothing is installed, so nobody need be kept from it.
        get.args(["-o", "Debug::NoLocking=1", "--no-install-recommends", "--download-only", "--yes", "install"]);
        succeeds(get.arg(package))
    }

    /// Unpacks what was got, and removes the packages and lists.
    pub(crate) fn unpack(self, into: &Path) -> Result<(), String> {
        for package in fs::read_dir(self.packages()).map_err(|error| error.to_string())?.flatten() {
            if package.path().extension() == Some(OsStr::new("deb")) {
                succeeds(Command::new("dpkg-deb").arg("--extract").arg(package.path()).arg(into))?;
            }
        }
        let folder = &self.folder;
        fs::remove_dir_all(folder).map_err(|error| format!("{} cannot be removed: {error}", folder.display()))
    }

    fn packages(&self) -> PathBuf {
        self.folder.join("cache/archives")
    }

    fn get(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("-qq").current_dir(self.packages());
        for (option, folder) in [("Dir::State::lists", "lists"), ("Dir::Cache", "cache")] {
            command.arg("-o").arg(format!("{option}={}", self.folder.join(folder).display()));
        }
        // Root would download as another user, who may not write here.
        command.args(["-o", "APT::Sandbox::User=root"]);
        command
    }
}
