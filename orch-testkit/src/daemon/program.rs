//! Where a program is.

use std::env;
use std::path::PathBuf;

/// Names a folder with programs that are not installed, but were unpacked for the tests of a workspace.
const UNPACKED: &str = "ORCH_PARTS";

/// Where the program called `name` is.
///
/// # Panics
/// When there is none; the message says how to get it: from the Debian package `package`.
pub(super) fn path_of(name: &str, package: &str) -> PathBuf {
    let installed = env::var_os("PATH").unwrap_or_default();
    let unpacked = env::var_os(UNPACKED).unwrap_or_default();
    let found = env::split_paths(&installed).chain(env::split_paths(&unpacked)).map(|folder| folder.join(name));
    found.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "this test needs the program `{name}`: install Debian's package {package}, or run `cargo xtask test`, \
             which sees to it"
        )
    })
}
