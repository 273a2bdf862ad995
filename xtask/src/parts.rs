//! The real programs that tests start, such as etcd and dockerd.
//!
//! What is not installed is unpacked from Debian's packages into a folder under `target/`, which needs no root. It is
//! deliberately not installed: that would make a user and start a service on somebody's machine.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, io};

use crate::apt::Apt;
use crate::command::Failed;

/// Names the folder that the unpacked programs are in: its `usr/bin`. It is set by `.cargo/config.toml`, so that tests
/// find them too.
const UNPACKED: &str = "ORCH_PARTS";

/// Where programs are in an unpacked tree, and in that of the machine, since a user's `PATH` may lack those of root.
const FOLDERS: [&str; 4] = ["usr/sbin", "usr/bin", "sbin", "bin"];

/// Programs that belong together, and the Debian packages that they are in.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    programs: &'static [&'static str],
    /// The programs' own package, and the libraries that are not on every machine.
    packages: &'static [&'static str],
    /// Whether those will do that are installed.
    installed: bool,
}

/// What the tests of stores need.
pub(crate) const STORES: &[Part] = &[Part { programs: &["etcd"], packages: &["etcd-server"], installed: true }];

/// What the tests of containers need.
pub(crate) const CONTAINERS: &[Part] = &[
    // The client is taken with the daemon: one much newer refuses to talk to it.
    Part {
        programs: &["dockerd", "docker", "docker-proxy"],
        packages: &["docker.io", "tini", "libdevmapper1.02.1"],
        installed: true,
    },
    Part { programs: &["containerd", "ctr", "containerd-shim-runc-v2"], packages: &["containerd"], installed: true },
    Part { programs: &["runc"], packages: &["runc", "libseccomp2"], installed: true },
    // One that is installed may need libraries, which an image made of it would lack.
    Part { programs: &["busybox"], packages: &["busybox-static"], installed: false },
    Part {
        programs: &["iptables", "ip6tables"],
        packages: &[
            "iptables",
            "libip6tc2",
            "libmnl0",
            "libnetfilter-conntrack3",
            "libnfnetlink0",
            "libnftnl11",
            "libxtables12",
        ],
        installed: true,
    },
    Part {
        programs: &["ip"],
        packages: &["iproute2", "libbpf1", "libbsd0", "libcap2", "libelf1", "libmd0", "libmnl0"],
        installed: true,
    },
    Part {
        programs: &["nft"],
        packages: &[
            "nftables",
            "libnftables1",
            "libedit2",
            "libbsd0",
            "libgmp10",
            "libjansson4",
            "libmd0",
            "libmnl0",
            "libnftnl11",
        ],
        installed: true,
    },
    Part { programs: &["nsenter", "setpriv"], packages: &["util-linux"], installed: true },
];

/// Sees to it that these programs are there.
pub(crate) fn provide(root: &Path, parts: &[Part]) -> Result<(), Failed> {
    let missing: Vec<&Part> = parts.iter().filter(|part| part.lacks().is_some()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().flat_map(|part| part.packages).copied().collect();
    packages.sort_unstable();
    packages.dedup();
    eprintln!("xtask: unpacking Debian's {} into target/parts", packages.join(", "));
    unpack(root, &packages).map_err(|why| {
        let programs: Vec<&str> = missing.iter().filter_map(|part| part.lacks()).collect();
        let packages = packages.join(" ");
        Failed(format!(
            "the tests need {}, and {why}: install it (Debian, Ubuntu: apt-get install {packages}), and run this again",
            programs.join(", ")
        ))
    })?;
    match missing.iter().find_map(|part| part.lacks().map(|program| (program, part.packages[0]))) {
        None => Ok(()),
        Some((program, package)) => Err(Failed(format!("Debian's package {package} has no program {program}"))),
    }
}

impl Part {
    /// The first of its programs that is nowhere.
    fn lacks(&self) -> Option<&'static str> {
        let mut folders = unpacked();
        if self.installed {
            folders.extend(installed());
        }
        self.programs.iter().copied().find(|program| !folders.iter().any(|folder| folder.join(program).is_file()))
    }
}

fn unpacked() -> Vec<PathBuf> {
    let Some(programs) = env::var_os(UNPACKED) else { return Vec::new() };
    let tree = Path::new(&programs).ancestors().nth(2).unwrap_or(Path::new("/nonexistent")).to_owned();
    FOLDERS.iter().map(|folder| tree.join(folder)).collect()
}

fn installed() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).chain(FOLDERS.iter().map(|folder| Path::new("/").join(folder))).collect()
}

/// The error says what went wrong, as part of a sentence.
fn unpack(root: &Path, packages: &[&str]) -> Result<(), String> {
    let parts = root.join("target/parts");
    let apt = Apt::new(parts.join("apt"))?;
    apt.download(packages)?;
    apt.unpack(&parts)?;
    link_iptables(&parts).map_err(|error| format!("{} cannot be completed: {error}", parts.display()))
}

/// Makes the links that installing the package would make: one program, called by many names.
fn link_iptables(parts: &Path) -> io::Result<()> {
    const PROGRAM: &str = "xtables-nft-multi";
    let folder = parts.join("usr/sbin");
    if !folder.join(PROGRAM).exists() {
        return Ok(());
    }
    for family in ["iptables", "ip6tables"] {
        for name in [family.to_owned(), format!("{family}-save"), format!("{family}-restore")] {
            let link = folder.join(name);
            if !link.exists() {
                symlink(PROGRAM, link)?;
            }
        }
    }
    Ok(())
}
