//! Making a group, limiting it, and ending what is in it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orch_core::runtime::ResourceLimits;

use super::{Cgroup, Controller, Place, Version};

/// What a group may use, as the kernel is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Of a period of a tenth of a second, in microseconds of one core.
    cpu_quota: Option<u64>,
    /// 1024 for a whole core.
    cpu_shares: Option<u64>,
    memory_bytes: Option<u64>,
    processes: Option<u64>,
}

/// How often the kernel looks at the quota, in microseconds.
const PERIOD: u64 = 100_000;

impl From<ResourceLimits> for Limits {
    fn from(limits: ResourceLimits) -> Self {
        let ResourceLimits { cpu_millis, memory_bytes, processes, cpu_share_millis } = limits;
        Self {
            // The kernel takes no less than a millisecond.
            cpu_quota: cpu_millis.map(|millis| millis.saturating_mul(PERIOD / 1000).max(1000)),
            cpu_shares: cpu_share_millis.map(|millis| (millis.saturating_mul(1024) / 1000).clamp(2, 262_144)),
            memory_bytes,
            processes,
        }
    }
}

impl Limits {
    /// What is written into which files. The second is whether it may be missing on this machine.
    fn files(self, controller: Controller, version: Version) -> Vec<(&'static str, bool, String)> {
        let mut files = Vec::new();
        let mut write =
            |name, optional, value: Option<String>| files.extend(value.map(|value| (name, optional, value)));
        match (controller, version) {
            (Controller::Cpu, Version::V1) => {
                write("cpu.shares", false, self.cpu_shares.map(|shares| shares.to_string()));
                write("cpu.cfs_period_us", false, self.cpu_quota.map(|_| PERIOD.to_string()));
                write("cpu.cfs_quota_us", false, self.cpu_quota.map(|quota| quota.to_string()));
            }
            (Controller::Cpu, Version::V2) => {
                // From 2…262144 to 1…10000, as everyone does.
                let weight = self.cpu_shares.map(|shares| 1 + (shares - 2) * 9999 / 262_142);
                write("cpu.weight", false, weight.map(|weight| weight.to_string()));
                write("cpu.max", false, self.cpu_quota.map(|quota| format!("{quota} {PERIOD}")));
            }
            (Controller::Memory, Version::V1) => {
                let bytes = self.memory_bytes.map(|bytes| bytes.to_string());
                write("memory.limit_in_bytes", false, bytes.clone());
                write("memory.memsw.limit_in_bytes", true, bytes);
            }
            (Controller::Memory, Version::V2) => {
                write("memory.max", false, self.memory_bytes.map(|bytes| bytes.to_string()));
                write("memory.swap.max", true, self.memory_bytes.map(|_| "0".to_owned()));
            }
            (Controller::Pids, _) => write("pids.max", false, self.processes.map(|most| most.to_string())),
            (Controller::Cpuacct, _) => {}
        }
        files
    }
}

impl Cgroup {
    /// Makes the group, with those above it, and limits it.
    ///
    /// # Errors
    /// When the kernel does not let it be, or has no controller for a limit.
    pub(crate) fn make(&self, limits: Limits) -> io::Result<()> {
        for controller in [Controller::Cpu, Controller::Memory, Controller::Pids] {
            let needs = [Version::V1, Version::V2].iter().any(|version| !limits.files(controller, *version).is_empty());
            if needs && self.place(controller).is_none() {
                let message = format!("the kernel has no controller {:?} here", controller.name());
                return Err(io::Error::new(io::ErrorKind::Unsupported, message));
            }
        }
        for place in &self.places {
            place.make()?;
        }
        for place in &self.places {
            for (name, optional, value) in limits.files(place.controller, place.version) {
                let file = place.folder.join(name);
                if !optional || file.exists() {
                    fs::write(&file, value).map_err(|error| at(&file, error))?;
                }
            }
        }
        Ok(())
    }

    /// Puts this process into it.
    pub(crate) fn join(&self) -> io::Result<()> {
        // Zero is whoever writes it.
        let join = |folder: &PathBuf| fs::write(folder.join("cgroup.procs"), "0").map_err(|error| at(folder, error));
        self.folders().iter().try_for_each(join)
    }

    /// The processes that are in it, in any hierarchy.
    pub(crate) fn members(&self) -> io::Result<BTreeSet<i32>> {
        let mut members = BTreeSet::new();
        for folder in self.folders() {
            match fs::read_to_string(folder.join("cgroup.procs")) {
                Ok(text) => members.extend(text.lines().filter_map(|pid| pid.parse::<i32>().ok())),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(at(&folder, error)),
            }
        }
        Ok(members)
    }

    /// Kills every process that is in it now, and tells whether there were any. Those that are forked meanwhile are seen
    /// by the next call.
    pub(crate) fn kill(&self) -> io::Result<bool> {
        let members = self.members()?;
        for member in &members {
            match kill(Pid::from_raw(*member), Signal::SIGKILL) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(!members.is_empty())
    }

    /// Removes it, when there is nothing in it any more.
    pub(crate) fn remove(&self) -> io::Result<()> {
        for folder in self.folders() {
            match fs::remove_dir(&folder) {
                Err(error) if !is_gone(&error) => return Err(at(&folder, error)),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Place {
    fn make(&self) -> io::Result<()> {
        let parent = self.folder.parent().ok_or_else(|| io::Error::other("a group has one above it"))?;
        let above = Self { folder: parent.to_owned(), ..self.clone() };
        // The hierarchy ends where no group is above.
        if parent.join("cgroup.procs").exists() || !parent.exists() {
            above.make()?;
            if self.version == Version::V2 && self.controller != Controller::Cpuacct {
                above.pass_on(self.controller)?;
            }
        }
        match fs::create_dir(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(at(&self.folder, error)),
            _ => Ok(()),
        }
    }

    /// Lets the groups below have a controller.
    fn pass_on(&self, controller: Controller) -> io::Result<()> {
        let file = self.folder.join("cgroup.subtree_control");
        let passed_on = fs::read_to_string(&file).map_err(|error| at(&file, error))?;
        if passed_on.split_ascii_whitespace().any(|name| name == controller.name()) {
            return Ok(());
        }
        fs::write(&file, format!("+{}", controller.name())).map_err(|error| at(&file, error))
    }
}

fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ENODEV as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_each_version_has_them() {
        let limits = Limits::from(ResourceLimits {
            cpu_millis: Some(250),
            memory_bytes: Some(1 << 20),
            processes: Some(7),
            cpu_share_millis: Some(500),
        });
        let written = |version| {
            let files = Controller::ALL.into_iter().flat_map(|controller| limits.files(controller, version));
            files.map(|(name, _, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            written(Version::V1),
            "cpu.shares=512 cpu.cfs_period_us=100000 cpu.cfs_quota_us=25000 memory.limit_in_bytes=1048576 \
             memory.memsw.limit_in_bytes=1048576 pids.max=7"
        );
        assert_eq!(
            written(Version::V2),
            "cpu.weight=20 cpu.max=25000 100000 memory.max=1048576 memory.swap.max=0 pids.max=7"
        );
        let extremes = [(0, 2), (1, 2), (u64::MAX, 262_144)];
        for (millis, shares) in extremes {
            let limits = ResourceLimits { cpu_share_millis: Some(millis), ..ResourceLimits::default() };
            assert_eq!(Limits::from(limits).cpu_shares, Some(shares));
        }
        assert_eq!(Limits::from(ResourceLimits::default()), Limits::default());
    }
}
