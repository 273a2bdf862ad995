//! What the cgroup that this process is in may use: version 1, version 2, or both at once.
//!
//! A limit of a cgroup holds for all that is in it, so every one above counts as well. What is mounted may be a part of
//! the hierarchy, as in a container; there the path of a process does not begin at what is mounted, and only the
//! uppermost can be read.

use std::path::Path;

use super::Kernel;

/// The least that any of the cgroups may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// In thousandths of a core.
    pub(super) cpu_millis: Option<u64>,
    pub(super) memory: Option<Supplied>,
    pub(super) processes: Option<Supplied>,
}

/// A limit, and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Supplied {
    pub(super) capacity: u64,
    pub(super) available: u64,
}

/// Reads the limits. What cannot be read is no limit.
pub(super) fn limits(kernel: &Kernel<'_>) -> Limits {
    let membership = kernel.text("proc/self/cgroup").unwrap_or_default();
    let mounts = mounts(&kernel.text("proc/self/mountinfo").unwrap_or_default());
    let folders = |controller: &str| folders(&membership, &mounts, controller);
    let read = |folder: &String, file: &str| kernel.text(format!("{}/{file}", folder.trim_start_matches('/'))).ok();
    let number = |folder: &String, file: &str| read(folder, file).and_then(|text| text.trim().parse::<u64>().ok());

    let cpu_v2 = |folder| cpu_max(&read(folder, "cpu.max")?);
    let cpu_v1 = |folder| cpu_millis(number(folder, "cpu.cfs_quota_us")?, number(folder, "cpu.cfs_period_us")?);
    let memory_v2 = |folder| {
        let capacity = number(folder, "memory.max")?;
        let cache = stat_field(&read(folder, "memory.stat")?, "inactive_file");
        Some(left(capacity, number(folder, "memory.current")?.saturating_sub(cache)))
    };
    let memory_v1 = |folder| {
        // Without a limit it is the largest multiple of a page.
        let capacity = number(folder, "memory.limit_in_bytes").filter(|limit| *limit < 1 << 62)?;
        let cache = stat_field(&read(folder, "memory.stat")?, "total_inactive_file");
        Some(left(capacity, number(folder, "memory.usage_in_bytes")?.saturating_sub(cache)))
    };
    let processes = |folder| Some(left(number(folder, "pids.max")?, number(folder, "pids.current")?));

    let unified = folders("");
    Limits {
        cpu_millis: unified.iter().filter_map(cpu_v2).chain(folders("cpu").iter().filter_map(cpu_v1)).min(),
        memory: least(unified.iter().filter_map(memory_v2).chain(folders("memory").iter().filter_map(memory_v1))),
        processes: least(unified.iter().chain(folders("pids").iter()).filter_map(processes)),
    }
}

fn left(capacity: u64, used: u64) -> Supplied {
    Supplied { capacity, available: capacity.saturating_sub(used) }
}

/// The smallest capacity, and the least that is left: not of the same cgroup, perhaps.
fn least(limits: impl Iterator<Item = Supplied>) -> Option<Supplied> {
    limits.reduce(|one, other| Supplied {
        capacity: one.capacity.min(other.capacity),
        available: one.available.min(other.available),
    })
}

/// `cpu.max`: a quota, or `max`, and a period.
fn cpu_max(text: &str) -> Option<u64> {
    let (quota, period) = text.trim().split_once(' ')?;
    cpu_millis(quota.parse().ok()?, period.parse().ok()?)
}

fn cpu_millis(quota: u64, period: u64) -> Option<u64> {
    quota.checked_mul(1000)?.checked_div(period)
}

/// A number of a file like `memory.stat`; 0 if it is not told.
fn stat_field(stat: &str, field: &str) -> u64 {
    let line = stat.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(' '));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// A mount of a hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    /// Which part of the hierarchy is mounted.
    root: String,
    /// Where.
    point: String,
    /// Its controllers; that of version 2 has all that the others do not have.
    controllers: Option<Vec<String>>,
}

/// The hierarchies that are mounted, by `/proc/self/mountinfo`.
fn mounts(mountinfo: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?.to_owned(), before.next()?.to_owned());
        let mut after = after.split(' ');
        let controllers = match after.next()? {
            "cgroup2" => None,
            "cgroup" => Some(after.nth(1)?.split(',').map(str::to_owned).collect()),
            _ => return None,
        };
        Some(Mount { root, point, controllers })
    };
    mountinfo.lines().filter_map(mount).collect()
}

/// The folders of the cgroups that limit this process in a controller, `""` being version 2: its own and those above.
fn folders(membership: &str, mounts: &[Mount], controller: &str) -> Vec<String> {
    let path = membership.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next()?;
        controllers.split(',').any(|name| name == controller).then(|| parts.next())?
    });
    let matches = |mount: &&Mount| match &mount.controllers {
        None => controller.is_empty(),
        Some(names) => names.iter().any(|name| name == controller),
    };
    let (Some(path), Some(mount)) = (path, mounts.iter().find(matches)) else { return Vec::new() };
    let below = Path::new(path).strip_prefix(&mount.root).unwrap_or(Path::new(""));
    below.ancestors().map(|path| Path::new(&mount.point).join(path).to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n\
        99 31 0:38 / /nonsense\n";

    #[test]
    fn the_cgroups_that_limit_a_process_are_its_own_and_those_above() {
        let mounts = mounts(HYBRID);
        let membership = "4:memory:/a/b\n1:cpu,cpuacct:/\n0::/init.scope\nnonsense\n";
        let folders = |controller| folders(membership, &mounts, controller);
        let memory = ["/sys/fs/cgroup/memory/a/b", "/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/memory/"];
        assert_eq!(folders("memory"), memory);
        assert_eq!(folders("cpu"), ["/sys/fs/cgroup/cpu,cpuacct/"]);
        assert_eq!(folders(""), ["/sys/fs/cgroup/unified/init.scope", "/sys/fs/cgroup/unified/"]);
        assert_eq!(folders("pids"), [""; 0]);
    }

    #[test]
    fn what_is_mounted_may_be_a_part() {
        let mounts = mounts("1 2 0:1 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
        assert_eq!(folders("0::/docker/x/y\n", &mounts, ""), ["/sys/fs/cgroup/y", "/sys/fs/cgroup/"]);
        assert_eq!(folders("0::/elsewhere\n", &mounts, ""), ["/sys/fs/cgroup/"]);
    }

    #[test]
    fn quotas_are_thousandths_of_a_core() {
        let table = [
            ("max 100000\n", None),
            ("50000 100000\n", Some(500)),
            ("250000 100000\n", Some(2500)),
            ("1 0", None),
            ("18446744073709551615 1", None),
            ("", None),
            ("1", None),
        ];
        for (text, expected) in table {
            assert_eq!(cpu_max(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        assert_eq!(stat_field("inactive_file_x 1\ninactive_file 7\n", "inactive_file"), 7);
        assert_eq!(stat_field("total_inactive_file 1\n", "inactive_file"), 0);
    }
}
