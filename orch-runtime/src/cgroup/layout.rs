//! Where controllers are, from what the kernel tells in `/proc`. See cgroups(7) and proc_pid_mountinfo(5).

use std::path::{Component, Path, PathBuf};

use super::{Controller, Place, Version};

/// A hierarchy that is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) point: PathBuf,
    /// What of the hierarchy is there: within a container, perhaps a part.
    root: PathBuf,
    version: Version,
    /// The controllers of v1.
    controllers: Vec<String>,
}

/// A line of `/proc/PID/cgroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    /// Of v1; none for v2.
    controllers: Vec<String>,
    path: PathBuf,
}

/// The hierarchies in `/proc/self/mountinfo`.
pub(super) fn mounts(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    let mut after = after.split(' ');
    let version = match after.next()? {
        "cgroup" => Version::V1,
        "cgroup2" => Version::V2,
        _ => return None,
    };
    let options = after.nth(1).unwrap_or_default();
    let controllers = options.split(',').filter(|_| version == Version::V1).map(str::to_owned).collect();
    Some(Mount { point: unescape(point).into(), root: unescape(root).into(), version, controllers })
}

/// Spaces and the like are written as `\040`.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|code| u8::from_str_radix(code, 8).ok()).filter(u8::is_ascii);
        match code {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

/// The groups in `/proc/PID/cgroup`.
pub(super) fn memberships(text: &str) -> Vec<Membership> {
    let membership = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let controllers = controllers.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Some(Membership { controllers, path: path.into() })
    };
    text.lines().filter_map(membership).collect()
}

/// The group of a process: each controller in its hierarchy of v1 if there is one, else in that of v2.
pub(super) fn of_process(memberships: &[Membership], mounts: &[Mount]) -> Vec<Place> {
    let place = |controller: Controller| {
        let of_v1 = memberships.iter().find(|membership| has(&membership.controllers, controller));
        let (version, membership) = match of_v1 {
            Some(membership) => (Version::V1, membership),
            None => (Version::V2, memberships.iter().find(|membership| membership.controllers.is_empty())?),
        };
        let of_version = mounts.iter().filter(|mount| mount.version == version);
        let folder = of_version
            .filter(|mount| version == Version::V2 || has(&mount.controllers, controller))
            .find_map(|mount| folder(mount, &membership.path))?;
        Some(Place { controller, version, folder })
    };
    Controller::ALL.into_iter().filter_map(place).collect()
}

/// The group of a path: each controller in its hierarchy of v1 if that is mounted, else in that of v2 if it is there.
pub(super) fn at_path(path: &Path, mounts: &[Mount], in_v2: impl Fn(&Mount, Controller) -> bool) -> Vec<Place> {
    let place = |controller: Controller| {
        let of_v1 = mounts.iter().find(|mount| mount.version == Version::V1 && has(&mount.controllers, controller));
        let of_v2 = || mounts.iter().find(|mount| mount.version == Version::V2 && in_v2(mount, controller));
        let mount = of_v1.or_else(of_v2)?;
        let below = mount.point.join(path.strip_prefix("/").unwrap_or(path));
        is_plain(path).then_some(Place { controller, version: mount.version, folder: below })
    };
    Controller::ALL.into_iter().filter_map(place).collect()
}

fn has(controllers: &[String], controller: Controller) -> bool {
    controllers.iter().any(|name| name == controller.name())
}

/// Where a group is seen that is at `path` of the hierarchy; `None` if it is outside of what is mounted.
fn folder(mount: &Mount, path: &Path) -> Option<PathBuf> {
    let below = path.strip_prefix(&mount.root).ok()?;
    is_plain(path).then(|| if below.as_os_str().is_empty() { mount.point.clone() } else { mount.point.join(below) })
}

/// Absolute, and without `..`, by which the kernel says that a group is outside of this namespace.
fn is_plain(path: &Path) -> bool {
    path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "\
25 30 0:23 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
28 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:11 - cgroup cgroup rw,cpu,cpuacct
29 25 0:27 / /sys/fs/cgroup/memory rw,relatime shared:12 - cgroup cgroup rw,memory
30 25 0:28 / /sys/fs/cgroup/pids rw,relatime shared:13 - cgroup cgroup rw,pids";
    const V1_GROUP: &str = "\
6:pids:/user.slice
5:memory:/user.slice/a
4:cpu,cpuacct:/user.slice
1:name=systemd:/user.slice/session-1.scope";
    const HYBRID: &str = "\
32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct
35 31 0:32 /part /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw";
    const HYBRID_GROUP: &str = "4:memory:/part/a\n2:cpuacct:/\n1:cpu:/\n0::/b";
    const V2: &str = "26 30 0:24 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
    const V2_GROUP: &str = "0::/system.slice/docker-0123.scope\n";

    fn folders(places: &[Place]) -> Vec<(&'static str, Version, &str)> {
        let shown = |place: &'_ Place| (place.controller.name(), place.version);
        places.iter().map(|place| (shown(place).0, shown(place).1, place.folder.to_str().expect("text"))).collect()
    }

    #[test]
    fn each_controller_of_a_process_is_found_in_every_layout() {
        use Version::{V1 as One, V2 as Two};
        let scope = "/sys/fs/cgroup/system.slice/docker-0123.scope";
        for (mountinfo, group, expected) in [
            (
                V1,
                V1_GROUP,
                vec![
                    ("cpu", One, "/sys/fs/cgroup/cpu,cpuacct/user.slice"),
                    ("cpuacct", One, "/sys/fs/cgroup/cpu,cpuacct/user.slice"),
                    ("memory", One, "/sys/fs/cgroup/memory/user.slice/a"),
                    ("pids", One, "/sys/fs/cgroup/pids/user.slice"),
                ],
            ),
            (
                HYBRID,
                HYBRID_GROUP,
                vec![
                    ("cpu", One, "/sys/fs/cgroup/cpu"),
                    ("cpuacct", One, "/sys/fs/cgroup/cpuacct"),
                    ("memory", One, "/sys/fs/cgroup/memory/a"),
                    ("pids", Two, "/sys/fs/cgroup/uni fied/b"),
                ],
            ),
            (
                V2,
                V2_GROUP,
                vec![("cpu", Two, scope), ("cpuacct", Two, scope), ("memory", Two, scope), ("pids", Two, scope)],
            ),
            // Outside of what can be seen.
            (V2, "0::/../other", vec![]),
            (HYBRID, "4:memory:/elsewhere", vec![]),
            ("", V2_GROUP, vec![]),
            ("no - mount\n\n- - -", "what\n:::", vec![]),
        ] {
            assert_eq!(folders(&of_process(&memberships(group), &mounts(mountinfo))), expected, "{group:?}");
        }
    }

    #[test]
    fn a_group_is_at_its_path_in_every_hierarchy() {
        let at = |path: &str, mountinfo, in_v2: &[Controller]| {
            let places = at_path(Path::new(path), &mounts(mountinfo), |_, controller| in_v2.contains(&controller));
            places.into_iter().map(|place| place.folder.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(at("/orch", V2, &[Controller::Memory, Controller::Pids]), ["/sys/fs/cgroup/orch"; 2]);
        assert_eq!(
            at("/orch/a", HYBRID, &[]),
            ["/sys/fs/cgroup/cpu/orch/a", "/sys/fs/cgroup/cpuacct/orch/a", "/sys/fs/cgroup/memory/orch/a"]
        );
        assert_eq!(at("/orch/../a", V1, &[]), [""; 0]);
        assert_eq!(at("orch", V1, &[]), [""; 0]);
    }
}
