//! [`Usage`]: what the processes of a group use.

use std::fs;
use std::io;
use std::path::Path;

use orch_core::runtime::{ContainerId, ContainerStats};

use super::{Cgroup, Controller, Version};

/// What a group uses. What cannot be read is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time since the group was made, in nanoseconds of one core.
    pub cpu_nanos: Option<u64>,
    /// Memory with the pages of files.
    pub memory_bytes: Option<u64>,
    /// The same without pages of files that were not used lately.
    pub working_set_bytes: Option<u64>,
    /// Memory that is backed by no file.
    pub rss_bytes: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

/// What the group uses that a process is in.
///
/// # Errors
/// When there is no such process, or the kernel does not tell.
pub fn usage_of(pid: u32) -> io::Result<Usage> {
    Ok(Cgroup::of(pid)?.usage())
}

impl Usage {
    /// As it is told of a container.
    #[must_use]
    pub fn stats(self, id: ContainerId) -> ContainerStats {
        let Self { cpu_nanos, memory_bytes, working_set_bytes, rss_bytes, processes } = self;
        ContainerStats {
            cpu_nanos,
            memory_bytes,
            working_set_bytes,
            rss_bytes,
            processes,
            ..ContainerStats::unmeasured(id)
        }
    }
}

impl Cgroup {
    /// What it uses.
    pub(crate) fn usage(&self) -> Usage {
        let memory = |file_of_v1, file_of_v2| {
            let place = self.place(Controller::Memory)?;
            number(&place.folder.join(if place.version == Version::V1 { file_of_v1 } else { file_of_v2 }))
        };
        let of_memory = |key_of_v1, key_of_v2| {
            let place = self.place(Controller::Memory)?;
            let key = if place.version == Version::V1 { key_of_v1 } else { key_of_v2 };
            field(&fs::read_to_string(place.folder.join("memory.stat")).ok()?, key)
        };
        let memory_bytes = memory("memory.usage_in_bytes", "memory.current");
        // The two are read one after the other: the part may have grown beyond the whole.
        let inactive = of_memory("total_inactive_file", "inactive_file");
        Usage {
            cpu_nanos: self.cpu_nanos(),
            memory_bytes,
            working_set_bytes: memory_bytes.zip(inactive).map(|(all, inactive)| all.saturating_sub(inactive)),
            rss_bytes: of_memory("total_rss", "anon"),
            processes: self.place(Controller::Pids).and_then(|place| number(&place.folder.join("pids.current"))),
        }
    }

    fn cpu_nanos(&self) -> Option<u64> {
        let place = self.place(Controller::Cpuacct)?;
        match place.version {
            Version::V1 => number(&place.folder.join("cpuacct.usage")),
            Version::V2 => {
                let micros = field(&fs::read_to_string(place.folder.join("cpu.stat")).ok()?, "usage_usec")?;
                Some(micros.saturating_mul(1000))
            }
        }
    }

    /// How many of its processes were killed because it used too much memory.
    pub(crate) fn oom_kills(&self) -> Option<u64> {
        let place = self.place(Controller::Memory)?;
        let file = if place.version == Version::V1 { "memory.oom_control" } else { "memory.events" };
        field(&fs::read_to_string(place.folder.join(file)).ok()?, "oom_kill")
    }
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim_end().parse().ok()
}

/// The number after a name, of lines `NAME NUMBER`.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim_end().parse().ok())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::Place;
    use super::*;

    fn group(version: Version, files: &[(&str, &str)]) -> (Cgroup, PathBuf) {
        let folder = std::env::temp_dir().join(format!("orch-cgroup-{}-{version:?}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("written");
        }
        let place = |controller| Place { controller, version, folder: folder.clone() };
        (Cgroup { places: Controller::ALL.into_iter().map(place).collect() }, folder)
    }

    #[test]
    fn usage_is_read_in_both_versions() {
        let expected = Usage {
            cpu_nanos: Some(5_000_000),
            memory_bytes: Some(1000),
            working_set_bytes: Some(900),
            rss_bytes: Some(700),
            processes: Some(3),
        };
        let of_v1 = [
            ("cpuacct.usage", "5000000\n"),
            ("memory.usage_in_bytes", "1000\n"),
            ("memory.stat", "inactive_file 7\nrss 8\ntotal_rss_huge 9\ntotal_rss 700\ntotal_inactive_file 100\n"),
            ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
            ("pids.current", "3\n"),
        ];
        let of_v2 = [
            ("cpu.stat", "usage_usec 5000\nuser_usec 1\n"),
            ("memory.current", "1000\n"),
            ("memory.stat", "anon 700\nfile 300\ninactive_file 100\n"),
            ("memory.events", "oom 5\noom_kill 2\noom_group_kill 0\n"),
            ("pids.current", "3\n"),
        ];
        for (version, files) in [(Version::V1, of_v1), (Version::V2, of_v2)] {
            let (group, folder) = group(version, &files);
            assert_eq!((group.usage(), group.oom_kills()), (expected, Some(2)), "{version:?}");
            fs::write(folder.join("memory.stat"), "damaged").expect("written");
            assert_eq!(group.usage(), Usage { working_set_bytes: None, rss_bytes: None, ..expected });
            fs::remove_dir_all(folder).expect("removed");
            assert_eq!((group.usage(), group.oom_kills()), (Usage::default(), None));
        }
    }
}
