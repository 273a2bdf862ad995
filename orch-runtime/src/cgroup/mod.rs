//! Control groups of the kernel: what containers use, and the most that they may use. For whoever writes a runtime of Linux
//! processes: what the containers of any engine use can be read by the number of a process.
//!
//! A controller is in one of two hierarchies: one of its own (v1), or the one of all (v2). Machines have either, or both
//! side by side (hybrid); so each controller is looked up by itself. Nothing is assumed of where they are mounted.

mod control;
mod layout;
mod network;
mod usage;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use self::control::Limits;
use self::layout::Mount;
pub use self::network::network_of;
pub use self::usage::{Usage, usage_of};

/// A controller that is used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Controller {
    Cpu,
    /// Counts processor time in v1; in v2 the group itself does.
    Cpuacct,
    Memory,
    Pids,
}

impl Controller {
    const ALL: [Self; 4] = [Self::Cpu, Self::Cpuacct, Self::Memory, Self::Pids];

    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cpuacct => "cpuacct",
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }
}

/// Which kind of hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Version {
    V1,
    V2,
}

/// A group, as it is in the hierarchies of the controllers that are used here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cgroup {
    places: Vec<Place>,
}

/// Where a controller of a group is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    controller: Controller,
    version: Version,
    folder: PathBuf,
}

impl Cgroup {
    /// The group that a process is in.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let memberships = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
        let mounts = layout::mounts(&fs::read_to_string("/proc/self/mountinfo")?);
        Ok(Self { places: layout::of_process(&layout::memberships(&memberships), &mounts) })
    }

    /// The group of this path in every hierarchy, whether it is there or not. The path begins with `/` and has no `..`.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let mounts = layout::mounts(&fs::read_to_string("/proc/self/mountinfo")?);
        Ok(Self { places: layout::at_path(path, &mounts, in_v2) })
    }

    /// A group within this one.
    pub(crate) fn child(&self, name: &str) -> Self {
        let child = |place: &Place| Place { folder: place.folder.join(name), ..place.clone() };
        Self { places: self.places.iter().map(child).collect() }
    }

    /// Its folders, each once.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self.places.iter().map(|place| place.folder.clone()).collect();
        folders.sort_unstable();
        folders.dedup();
        folders
    }

    /// Whether it is there, in any hierarchy.
    pub(crate) fn exists(&self) -> bool {
        self.places.iter().any(|place| place.folder.exists())
    }

    fn place(&self, controller: Controller) -> Option<&Place> {
        self.places.iter().find(|place| place.controller == controller)
    }
}

/// Whether the hierarchy of v2 that is mounted has a controller.
fn in_v2(mount: &Mount, controller: Controller) -> bool {
    let controllers = fs::read_to_string(mount.point.join("cgroup.controllers")).unwrap_or_default();
    controller == Controller::Cpuacct || controllers.split_ascii_whitespace().any(|name| name == controller.name())
}
