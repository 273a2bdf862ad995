//! Where a program is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Names the `usr/bin` of a tree of programs that are not installed, but were unpacked for the tests of a workspace.
const UNPACKED: &str = "ORCH_PARTS";

/// Where programs are in a tree. Those of root are often not on a user's `PATH`.
const FOLDERS: [&str; 4] = ["usr/sbin", "usr/bin", "sbin", "bin"];

/// Where the program called `name` is. What was unpacked comes first: those fit each other.
///
/// # Panics
/// When there is none; the message says how to get it: from the Debian package `package`.
pub(crate) fn path_of(name: &str, package: &str) -> PathBuf {
    let found = folders().into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "this test needs the program `{name}`: install Debian's package {package}, or run `cargo xtask test`, \
             which sees to it"
        )
    })
}

/// A command that runs a program, with nothing in its environment but what it needs to find its libraries and others.
///
/// # Panics
/// When there is none; the message says how to get it: from the Debian package `package`.
#[must_use]
pub fn program(name: &str, package: &str) -> Command {
    with_clean_environment(Command::new(path_of(name, package)))
}

/// A command with nothing in its environment but what a program needs to find others, its libraries and its plug-ins, as
/// if all had been installed.
pub(crate) fn with_clean_environment(mut command: Command) -> Command {
    command.env_clear().env("PATH", env::join_paths(folders()).expect("folders from a PATH make a PATH"));
    if let Some(tree) = unpacked() {
        let libraries: Vec<PathBuf> = ["usr/lib", "lib"]
            .into_iter()
            .filter_map(|folder| fs::read_dir(tree.join(folder)).ok())
            .flatten()
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            // Such as x86_64-linux-gnu.
            .filter(|path| path.to_string_lossy().ends_with("-linux-gnu"))
            .collect();
        if let Some(plugins) = libraries.iter().map(|folder| folder.join("xtables")).find(|folder| folder.exists()) {
            command.env("XTABLES_LIBDIR", plugins);
        }
        command.env("LD_LIBRARY_PATH", env::join_paths(libraries).expect("a tree of programs has a plain name"));
    }
    command
}

fn folders() -> Vec<PathBuf> {
    let unpacked = unpacked().into_iter().flat_map(|tree| FOLDERS.map(|folder| tree.join(folder)));
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = env::split_paths(&path).chain(FOLDERS.map(|folder| Path::new("/").join(folder)));
    unpacked.chain(installed).collect()
}

fn unpacked() -> Option<PathBuf> {
    let programs = PathBuf::from(env::var_os(UNPACKED)?);
    programs.ancestors().nth(2).filter(|tree| tree.is_dir()).map(Path::to_owned)
}
