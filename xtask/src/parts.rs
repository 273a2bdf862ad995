//! The real programs that tests start, such as etcd.
//!
//! What is not installed is unpacked from Debian's package into a folder under `target/`, which needs no root. It is
//! deliberately not installed: that would make a user and start a service on somebody's machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::command::Failed;

/// Names the folder that the unpacked programs are in. It is set by `.cargo/config.toml`, so that tests find them too.
const UNPACKED: &str = "ORCH_PARTS";

/// A program, and the Debian package that it is in.
struct Part {
    program: &'static str,
    package: &'static str,
}

const PARTS: &[Part] = &[Part { program: "etcd", package: "etcd-server" }];

/// Sees to it that every program that the tests need is there.
pub(crate) fn provide(root: &Path) -> Result<(), Failed> {
    let missing: Vec<&Part> = PARTS.iter().filter(|part| find(part.program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|part| part.package).collect();
    eprintln!("xtask: unpacking Debian's {} into target/parts", packages.join(", "));
    unpack(root, &packages).map_err(|why| {
        let programs: Vec<&str> = missing.iter().map(|part| part.program).collect();
        let packages = packages.join(" ");
        Failed(format!(
            "the tests need {}, and {why}: install it (Debian, Ubuntu: apt-get install {packages}), and run this again",
            programs.join(", ")
        ))
    })?;
    match missing.iter().find(|part| find(part.program).is_none()) {
        None => Ok(()),
        Some(part) => Err(Failed(format!("Debian's package {} has no program {}", part.package, part.program))),
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let installed = env::var_os("PATH").unwrap_or_default();
    let unpacked = env::var_os(UNPACKED).unwrap_or_default();
    let found = env::split_paths(&installed).chain(env::split_paths(&unpacked)).map(|folder| folder.join(program));
    found.into_iter().find(|path| path.is_file())
}

/// The error says what went wrong, as part of a sentence.
fn unpack(root: &Path, packages: &[&str]) -> Result<(), String> {
    let parts = root.join("target/parts");
    let apt = parts.join("apt");
    let in_apt = |folder: &str| apt.join(folder);
    for folder in ["lists/partial", "cache/archives/partial", "packages"] {
        fs::create_dir_all(in_apt(folder)).map_err(|error| format!("{} cannot be made: {error}", apt.display()))?;
    }
    // Lists and cache of its own: the machine's are root's, and may be empty.
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.arg("-qq").current_dir(in_apt("packages"));
        for (option, folder) in [("Dir::State::lists", "lists"), ("Dir::Cache", "cache")] {
            command.arg("-o").arg(format!("{option}={}", in_apt(folder).display()));
        }
        // Root would download as another user, who may not write here.
        command.args(["-o", "APT::Sandbox::User=root"]);
        command
    };
    succeeds(apt_get().arg("update"))?;
    succeeds(apt_get().arg("download").args(packages))?;
    let downloaded = fs::read_dir(in_apt("packages")).map_err(|error| error.to_string())?;
    for package in downloaded {
        let package = package.map_err(|error| error.to_string())?;
        succeeds(Command::new("dpkg-deb").arg("--extract").arg(package.path()).arg(&parts))?;
    }
    fs::remove_dir_all(&apt).map_err(|error| format!("{} cannot be removed: {error}", apt.display()))
}

fn succeeds(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("`{program}` cannot be run ({error})"))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{program}` failed ({})", errors.trim().replace('\n', "; ")))
}
