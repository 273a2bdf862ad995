//! [`Traces`].

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::containerd::Containerd;
use super::dockerd::Dockerd;

/// Looks for what containers leave on a machine: mounts, cgroups, network namespaces, processes, files.
///
/// It looks where daemons of this module put it, by names that nobody else has, so tests that run at the same time do not
/// see each other's. Take one from a daemon; it outlives it.
#[derive(Clone, Debug)]
pub struct Traces {
    /// Of a daemon.
    folder: PathBuf,
    /// `/orch-test-123-0`.
    cgroup_parent: String,
    /// Of the network namespace.
    host: String,
}

impl Traces {
    /// Of a daemon of another process: its folder, its cgroup, and the name of its host.
    #[must_use]
    pub fn of(folder: &Path, cgroup_parent: &str, host: &str) -> Self {
        Self { folder: folder.to_owned(), cgroup_parent: cgroup_parent.to_owned(), host: host.to_owned() }
    }

    /// All that is there now, each in words for people. Compare it with what was there before, or with nothing.
    #[must_use]
    pub fn now(&self) -> BTreeSet<String> {
        let mut found = self.of_containers();
        let mut add = |what: &str, path: &Path| {
            if path.exists() {
                found.insert(format!("the {what} {}", path.display()));
            }
        };
        add("folder", &self.folder);
        add("network namespace", &Path::new("/run/netns").join(&self.host));
        found.extend(self.daemons());
        found
    }

    /// What is there of containers alone, without the daemon and its folder: nothing, when all of them are removed.
    #[must_use]
    pub fn of_containers(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        found.extend(self.mounts());
        found.extend(self.cgroups());
        found.extend(self.containers());
        found.extend(self.processes());
        found
    }

    fn mounts(&self) -> Vec<String> {
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        let below = points.filter(|point| Path::new(point).starts_with(&self.folder));
        // dockerd keeps its data in a mount of its own, as long as it runs.
        let below = below.filter(|point| Path::new(point) != self.folder.join("data"));
        below.map(|point| format!("the mount {point}")).collect()
    }

    fn cgroups(&self) -> Vec<String> {
        let mut hierarchies = vec![PathBuf::from("/sys/fs/cgroup")];
        hierarchies.extend(entries(Path::new("/sys/fs/cgroup")));
        let parents = hierarchies.iter().map(|folder| folder.join(self.cgroup_parent.trim_start_matches('/')));
        let below = parents.flat_map(|parent| entries(&parent)).filter(|path| path.is_dir());
        below.map(|path| format!("the cgroup {}", path.display())).collect()
    }

    /// Those that a shim knows, running or not.
    fn containers(&self) -> Vec<String> {
        let namespaces = entries(&self.folder.join("state/io.containerd.runtime.v2.task"));
        let tasks = namespaces.iter().flat_map(|namespace| entries(namespace));
        tasks.map(|path| format!("the container {}", file_name(&path))).collect()
    }

    /// Of shims, and in containers: their command line names the folder, or their root is in it.
    fn processes(&self) -> Vec<String> {
        let below = format!("{}/", self.folder.display());
        let name = format!("/{}/", file_name(&self.folder));
        let has_root_below = |process: &Path| {
            let mounts = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
            // What is mounted, where, and from what.
            mounts.lines().any(|line| {
                let mut fields = line.split(' ').skip(3);
                let (source, point) = (fields.next().unwrap_or_default(), fields.next());
                point == Some("/") && (source.contains(&name) || fields.any(|field| field.contains(&name)))
            })
        };
        let processes = entries(Path::new("/proc")).into_iter().filter(|path| path.join("mountinfo").exists());
        let found = processes.filter_map(|process| {
            let command = command_of(&process);
            let is_shim = command.contains(&below) && command.contains("containerd-shim");
            (is_shim || has_root_below(&process)).then(|| format!("the process {} ({command})", file_name(&process)))
        });
        found.collect()
    }

    fn daemons(&self) -> Vec<String> {
        let below = format!("{}/", self.folder.display());
        let commands = entries(Path::new("/proc")).into_iter().map(|process| command_of(&process));
        let daemons = commands.filter(|command| {
            let program = command.split(' ').next().unwrap_or_default();
            command.contains(&below) && (program.ends_with("/dockerd") || program.ends_with("/containerd"))
        });
        daemons.map(|command| format!("the daemon {command}")).collect()
    }
}

impl From<&Containerd> for Traces {
    fn from(daemon: &Containerd) -> Self {
        Self::of(daemon.folder(), daemon.cgroup_parent(), daemon.host().name())
    }
}

impl From<&Dockerd> for Traces {
    fn from(daemon: &Dockerd) -> Self {
        daemon.containerd().into()
    }
}

/// None, if it cannot be read: what is gone leaves no trace.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
}

fn command_of(process: &Path) -> String {
    let command = fs::read(process.join("cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
