//! [`oci_spec`]: from what is asked for to what runc is told.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use orch_core::runtime::{ContainerSpec, Privileges, ResourceLimits};
use serde::Deserialize;

use super::accounts::{Accounts, Identity};
use super::capability::capabilities;
use super::oci::{
    Capabilities, Cpu, Device, Linux, Memory, Mount, Namespace, Pids, Process, Resources, Root, Seccomp, Spec,
    Syscalls, User,
};

/// What an image says of how its containers are run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ImageDefaults {
    pub(super) user: String,
    pub(super) env: Option<Vec<String>>,
    pub(super) entrypoint: Option<Vec<String>>,
    pub(super) cmd: Option<Vec<String>>,
    pub(super) working_dir: String,
    pub(super) stop_signal: String,
}

/// What a container shares with the others of its pod.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    pub(super) hostname: String,
    pub(super) host_network: bool,
    /// The pod's network and IPC namespaces.
    pub(super) net: PathBuf,
    pub(super) ipc: PathBuf,
    /// Files of the pod, and where its containers see them.
    pub(super) files: Vec<(PathBuf, &'static str)>,
    pub(super) cgroup: String,
    /// Whether the kernel can limit swapping.
    pub(super) limits_swap: bool,
}

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What of `/proc` and `/sys` tells about the machine rather than the container.
const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
/// Calls that reach into the kernel past what namespaces hold apart, and that no ordinary program makes. Whoever is given
/// the capability to use them asks for `privileged`.
const DENIED: [&str; 22] = [
    "acct",
    "add_key",
    "bpf",
    "delete_module",
    "finit_module",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "open_by_handle_at",
    "perf_event_open",
    "quotactl",
    "request_key",
    "swapoff",
    "swapon",
    "userfaultfd",
    "vmsplice",
];
const EPERM: u32 = 1;
const CPU_PERIOD: u64 = 100_000;

/// What runc is told, or why the container cannot be what is asked for.
pub(super) fn oci_spec(
    spec: &ContainerSpec,
    image: &ImageDefaults,
    accounts: &Accounts,
    around: &Surroundings,
) -> Result<Spec, String> {
    let privileges = &spec.privileges;
    let user = user(privileges, image, accounts)?;
    let given = capabilities(privileges)?;
    // Only root has what it may have from the start; others get it from the files that they run.
    let active = if user.uid == 0 { given.clone() } else { Vec::new() };
    Ok(Spec {
        oci_version: "1.0.2",
        process: Process {
            terminal: spec.tty,
            user,
            args: command(spec, image)?,
            env: environment(spec, image)?,
            cwd: working_dir(spec, image)?,
            capabilities: Capabilities { bounding: given, effective: active.clone(), permitted: active },
            no_new_privileges: !privileges.may_gain && !privileges.privileged,
        },
        root: Root { path: "rootfs", readonly: privileges.read_only_root },
        hostname: (!around.host_network).then(|| around.hostname.clone()),
        mounts: mounts(spec, around)?,
        linux: Linux {
            namespaces: namespaces(around),
            cgroups_path: around.cgroup.clone(),
            resources: resources(&spec.limits, around, privileges.privileged),
            masked_paths: if privileges.privileged { Vec::new() } else { MASKED.to_vec() },
            readonly_paths: if privileges.privileged { Vec::new() } else { READ_ONLY.to_vec() },
            seccomp: (!privileges.privileged).then(seccomp),
        },
    })
}

fn user(privileges: &Privileges, image: &ImageDefaults, accounts: &Accounts) -> Result<User, String> {
    let asked = privileges.user.map_or_else(|| image.user.clone(), |user| user.to_string());
    let Identity { uid, gid, groups } = accounts.identity(&asked)?;
    if privileges.non_root && uid == 0 {
        return Err("it must not run as root, but its user is 0: set a user, or use an image that has another".into());
    }
    let further: BTreeSet<u32> = groups.into_iter().chain(privileges.supplemental_groups.iter().copied()).collect();
    Ok(User { uid, gid: privileges.group.unwrap_or(gid), additional_gids: further.into_iter().collect() })
}

/// As Kubernetes joins them: a command hides the image's arguments, too.
fn command(spec: &ContainerSpec, image: &ImageDefaults) -> Result<Vec<String>, String> {
    let of = |part: &Option<Vec<String>>| part.clone().unwrap_or_default();
    let (program, mut args) = match (spec.command.is_empty(), spec.args.is_empty()) {
        (true, true) => (of(&image.entrypoint), of(&image.cmd)),
        (true, false) => (of(&image.entrypoint), spec.args.clone()),
        (false, _) => (spec.command.clone(), spec.args.clone()),
    };
    let mut command = program;
    command.append(&mut args);
    if command.is_empty() {
        return Err("neither the container nor its image says what to run: add `command`".into());
    }
    match command.iter().find(|text| text.contains('\0')) {
        Some(text) => Err(format!("a zero byte cannot be passed to a program: remove it from the argument {text:?}")),
        None => Ok(command),
    }
}

/// The image's, and over it the container's. Of one name the last counts.
fn environment(spec: &ContainerSpec, image: &ImageDefaults) -> Result<Vec<String>, String> {
    let mut env = vec![PATH.to_owned()];
    if spec.tty {
        env.push("TERM=xterm".to_owned());
    }
    let mut set = |entry: String| {
        let name = |entry: &str| entry.split_once('=').map_or(entry, |(name, _)| name).to_owned();
        env.retain(|other| name(other) != name(&entry));
        env.push(entry);
    };
    image.env.iter().flatten().filter(|entry| !entry.contains('\0')).for_each(|entry| set(entry.clone()));
    for (name, value) in &spec.env {
        if name.is_empty() || name.contains(['\0', '=']) {
            return Err(format!("{name:?} cannot be the name of an environment variable: use letters, digits and '_'"));
        }
        if value.contains('\0') {
            return Err(format!("a zero byte cannot be passed to a program: remove it from the variable {name}"));
        }
        set(format!("{name}={value}"));
    }
    Ok(env)
}

fn working_dir(spec: &ContainerSpec, image: &ImageDefaults) -> Result<PathBuf, String> {
    let image = if image.working_dir.is_empty() { "/" } else { &image.working_dir };
    let folder = spec.working_dir.clone().unwrap_or_else(|| image.into());
    if folder.is_absolute() { Ok(folder) } else { Err(not_absolute("working directory", &folder)) }
}

fn not_absolute(what: &str, path: &Path) -> String {
    format!("{what} {path:?} is not absolute: begin it with '/'")
}

fn mounts(spec: &ContainerSpec, around: &Surroundings) -> Result<Vec<Mount>, String> {
    let kernel = |destination: &str, kind: &'static str, options: &[&'static str]| Mount {
        destination: destination.into(),
        kind,
        source: kind.into(),
        options: options.to_vec(),
    };
    let privileged = spec.privileges.privileged;
    let writable = if privileged { "rw" } else { "ro" };
    let mut mounts = vec![kernel("/proc", "proc", &["nosuid", "noexec", "nodev"])];
    mounts.push(if privileged {
        bind("/dev".as_ref(), "/dev".as_ref(), &["rbind", "rprivate", "rw"])
    } else {
        kernel("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"])
    });
    let terminals = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];
    mounts.push(kernel("/dev/pts", "devpts", &terminals));
    mounts.push(kernel("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]));
    mounts.push(kernel("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]));
    mounts.push(if around.host_network {
        bind("/sys".as_ref(), "/sys".as_ref(), &["rbind", "rprivate", "nosuid", "noexec", "nodev", writable])
    } else {
        kernel("/sys", "sysfs", &["nosuid", "noexec", "nodev", writable])
    });
    mounts.push(kernel("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", writable]));
    let asked: BTreeSet<&Path> = spec.mounts.iter().map(|mount| mount.target.as_path()).collect();
    let shared = around.files.iter().filter(|(_, target)| !asked.contains(Path::new(target)));
    let writable = if spec.privileges.read_only_root { "ro" } else { "rw" };
    mounts.extend(shared.map(|(source, target)| bind(source, target.as_ref(), &["rbind", "rprivate", writable])));
    for mount in &spec.mounts {
        for (what, path) in [("the source of a mount", &mount.source), ("the target of a mount", &mount.target)] {
            if !path.is_absolute() {
                return Err(not_absolute(what, path));
            }
        }
        let writable = if mount.read_only { "ro" } else { "rw" };
        mounts.push(bind(&mount.source, &mount.target, &["rbind", "rprivate", writable]));
    }
    Ok(mounts)
}

fn bind(source: &Path, target: &Path, options: &[&'static str]) -> Mount {
    Mount { destination: target.into(), kind: "bind", source: source.into(), options: options.to_vec() }
}

fn namespaces(around: &Surroundings) -> Vec<Namespace> {
    let new = |kind: &'static str| Namespace { kind, path: None };
    let at = |kind: &'static str, path: &Path| Namespace { kind, path: Some(path.to_owned()) };
    let mut namespaces = vec![new("pid"), new("mount")];
    if !around.host_network {
        namespaces.extend([at("network", &around.net), at("ipc", &around.ipc), new("uts")]);
    } else {
        namespaces.push(new("ipc"));
    }
    namespaces
}

fn resources(limits: &ResourceLimits, around: &Surroundings, privileged: bool) -> Resources {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let memory = limits.memory_bytes.map(|bytes| {
        let limit = signed(bytes);
        Memory { limit, swap: around.limits_swap.then_some(limit) }
    });
    let quota = limits.cpu_millis.map(|millis| signed((millis.saturating_mul(CPU_PERIOD) / 1000).max(1000)));
    let cpu = Cpu {
        shares: limits.cpu_share_millis.map(|millis| (millis.saturating_mul(1024) / 1000).clamp(2, 262_144)),
        quota,
        period: quota.map(|_| CPU_PERIOD),
    };
    Resources {
        devices: vec![Device { allow: privileged, access: "rwm" }],
        memory,
        cpu: (cpu != Cpu::default()).then_some(cpu),
        pids: limits.processes.map(|processes| Pids { limit: signed(processes) }),
    }
}

fn seccomp() -> Seccomp {
    let native = match std::env::consts::ARCH {
        "aarch64" => vec!["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        "x86_64" => vec!["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        _ => Vec::new(),
    };
    Seccomp {
        default_action: "SCMP_ACT_ALLOW",
        architectures: native,
        syscalls: vec![Syscalls { names: DENIED.to_vec(), action: "SCMP_ACT_ERRNO", errno_ret: EPERM }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(spec: &ContainerSpec, image: &ImageDefaults) -> Result<Spec, String> {
        oci_spec(spec, image, &Accounts::default(), &Surroundings::default())
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn commands_are_joined_as_kubernetes_does() {
        let image =
            ImageDefaults { entrypoint: Some(texts(&["e"])), cmd: Some(texts(&["c"])), ..ImageDefaults::default() };
        for (command, args, expected) in [
            (&[][..], &[][..], &["e", "c"][..]),
            (&[], &["a"], &["e", "a"]),
            (&["p"], &[], &["p"]),
            (&["p"], &["a"], &["p", "a"]),
        ] {
            let spec = ContainerSpec { command: texts(command), args: texts(args), ..ContainerSpec::default() };
            assert_eq!(converted(&spec, &image).expect("a spec").process.args, expected);
        }
        assert!(converted(&ContainerSpec::default(), &ImageDefaults::default()).is_err());
    }

    #[test]
    fn of_a_variable_the_last_value_counts() {
        let image = ImageDefaults { env: Some(texts(&["PATH=/bin", "A=1"])), ..ImageDefaults::default() };
        let env = [("A", "2"), ("B", "x=y"), ("A", "3")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let spec = ContainerSpec { command: texts(&["p"]), env: env.into(), ..ContainerSpec::default() };
        assert_eq!(converted(&spec, &image).expect("a spec").process.env, ["PATH=/bin", "B=x=y", "A=3"]);
    }

    #[test]
    fn privileges_are_the_least_by_default() {
        let mut spec = ContainerSpec { command: texts(&["p"]), ..ContainerSpec::default() };
        let made = converted(&spec, &ImageDefaults::default()).expect("a spec");
        assert!(made.process.no_new_privileges && !made.linux.masked_paths.is_empty() && made.linux.seccomp.is_some());
        spec.privileges.non_root = true;
        assert!(converted(&spec, &ImageDefaults::default()).is_err_and(|message| message.contains("root")));
        spec.privileges.user = Some(7);
        let made = converted(&spec, &ImageDefaults::default()).expect("a spec");
        assert!(made.process.user.uid == 7 && made.process.capabilities.effective.is_empty());
    }

    #[test]
    fn limits_are_told_in_the_kernels_units() {
        let limits = ResourceLimits {
            cpu_millis: Some(1500),
            memory_bytes: Some(1 << 20),
            processes: Some(9),
            cpu_share_millis: Some(500),
        };
        let made = resources(&limits, &Surroundings { limits_swap: true, ..Surroundings::default() }, false);
        assert_eq!(made.memory, Some(Memory { limit: 1 << 20, swap: Some(1 << 20) }));
        assert_eq!(made.cpu, Some(Cpu { shares: Some(512), quota: Some(150_000), period: Some(100_000) }));
        assert_eq!(made.pids, Some(Pids { limit: 9 }));
    }
}
