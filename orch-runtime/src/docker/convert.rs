//! From what is asked for to what Docker is told, and from what Docker says to a status.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use orch_core::clock::Timestamp;
use orch_core::runtime::{
    ContainerId, ContainerSpec, ContainerState, ContainerStatus, ExitReason, HostEntry, ImageName, Mount, Privileges,
    ResourceLimits, SandboxSpec,
};

use super::DockerConfig;
use super::names::label;
use super::wire;
use crate::sandbox_image;

/// The time in which a limit of processor time is kept, in microseconds, and the least that the kernel takes of it.
const CPU_PERIOD: u64 = 100_000;
const CPU_QUOTA_LEAST: u64 = 1_000;
/// The least memory that Docker starts a container with.
const MEMORY_LEAST: u64 = 6 << 20;
/// The shares that one core stands for, and the least that the kernel takes.
const CPU_SHARES: u64 = 1_024;
const CPU_SHARES_LEAST: u64 = 2;

/// The sandbox of a pod as a container. `ip` is the pod's address, where the network is not Docker's.
pub(super) fn sandbox(config: &DockerConfig, spec: &SandboxSpec, ip: Option<Ipv4Addr>) -> wire::NewContainer {
    let network_mode = match ip {
        _ if spec.host_network => "host".to_owned(),
        Some(_) => "none".to_owned(),
        None => config.daemon_network.clone(),
    };
    let own = ip.and_then(|ip| Some(format!("{}:{ip}", own_names(spec)?)));
    let extra_hosts = own.into_iter().chain(extra_hosts(spec)).collect();
    let mut labels = pod_labels(config, spec);
    labels.extend(ip.map(|ip| (label::IP, ip.to_string())));
    wire::NewContainer {
        image: sandbox_image::NAME.to_owned(),
        hostname: (!spec.host_network && !spec.hostname.is_empty()).then(|| spec.hostname.clone()),
        domainname: spec.domain.as_ref().filter(|_| !spec.host_network).map(ToString::to_string),
        labels,
        host_config: wire::HostConfig {
            network_mode,
            extra_hosts,
            ipc_mode: "shareable".to_owned(),
            log_config: wire::LogConfig { kind: "none", config: BTreeMap::new() },
            security_opt: vec![NO_NEW_PRIVILEGES.to_owned()],
            cap_drop: vec!["ALL".to_owned()],
            readonly_rootfs: true,
            ..wire::HostConfig::default()
        },
        ..wire::NewContainer::default()
    }
}

/// What a pod calls itself, as Docker writes it only into networks of its own: on one line, the whole name first, which is
/// what a program is told that asks for it.
fn own_names(spec: &SandboxSpec) -> Option<String> {
    let SandboxSpec { hostname, domain, .. } = spec;
    let is_name = !hostname.is_empty() && !hostname.contains(|part: char| part == ':' || part.is_whitespace());
    let whole = domain.as_ref().map(|domain| format!("{hostname}.{domain} ")).unwrap_or_default();
    is_name.then(|| format!("{whole}{hostname}"))
}

/// What Docker writes into the file `/etc/hosts` that a container has, with those that join its network.
fn extra_hosts(spec: &SandboxSpec) -> Vec<String> {
    spec.host_entries
        .iter()
        .flat_map(|HostEntry { ip, names }| names.iter().map(move |name| format!("{name}:{ip}")))
        .collect()
}

const NO_NEW_PRIVILEGES: &str = "no-new-privileges";

fn pod_labels(config: &DockerConfig, spec: &SandboxSpec) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (label::SCOPE, config.scope.to_string()),
        (label::POD, spec.pod.to_string()),
        (label::SANDBOX, json(spec)),
    ])
}

/// What was read from JSON is JSON again.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// What a container shares with the others of its pod.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    pub(super) pod: &'a SandboxSpec,
    /// Docker's id of the sandbox.
    pub(super) sandbox: &'a str,
    /// The file that containers see at `/etc/resolv.conf`, if it is not Docker's. Docker's own settings do not do: what
    /// they leave empty is filled with what the machine has, and in some networks it writes something else there.
    pub(super) resolver: Option<&'a Path>,
}

const RESOLVER: &str = "/etc/resolv.conf";

/// An attempt as a container that joins the sandbox of its pod, or why there can be none.
///
/// `image_user` is whom the image says that its program runs as.
pub(super) fn container(
    config: &DockerConfig,
    around: Around<'_>,
    id: &ContainerId,
    spec: &ContainerSpec,
    image_user: &str,
) -> Result<wire::NewContainer, String> {
    let Some(image) = &spec.image else {
        return Err("no image is given: a container of Docker is started from one: add `image`".to_owned());
    };
    let user = user(&spec.privileges, image_user)?;
    let mut labels = pod_labels(config, around.pod);
    labels.insert(label::CONTAINER, id.name.to_string());
    labels.insert(label::ATTEMPT, id.attempt.to_string());
    labels.insert(label::SPEC, json(spec));
    let words = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    if let Some(text) = spec.command.iter().chain(&spec.args).find(|text| text.contains('\0')) {
        return Err(format!("a zero byte cannot be passed to a program: remove it from the argument {text:?}"));
    }
    Ok(wire::NewContainer {
        image: image_reference(image),
        hostname: None,
        domainname: None,
        user,
        entrypoint: words(&spec.command),
        cmd: words(&spec.args),
        env: environment(&spec.env)?,
        working_dir: spec.working_dir.as_deref().map(working_dir).transpose()?,
        tty: spec.tty,
        open_stdin: spec.stdin,
        // Else nothing could end its input.
        stdin_once: spec.stdin,
        labels,
        host_config: host_config(config, around, spec)?,
    })
}

fn host_config(
    config: &DockerConfig,
    Around { pod, sandbox, resolver }: Around<'_>,
    spec: &ContainerSpec,
) -> Result<wire::HostConfig, String> {
    let Privileges { add_capabilities, drop_capabilities, .. } = &spec.privileges;
    let all = "ALL";
    // They are taken away before others are added: who is given all of them keeps all.
    let drop = drop_capabilities.iter().filter(|_| !add_capabilities.contains(all));
    let ResourceLimits { cpu_millis, memory_bytes, processes, cpu_share_millis } = spec.limits;
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let quota = |millis: u64| signed((millis.saturating_mul(CPU_PERIOD) / 1000).max(CPU_QUOTA_LEAST));
    let shares = |millis: u64| signed((millis.saturating_mul(CPU_SHARES) / 1000).max(CPU_SHARES_LEAST));
    let memory = memory_bytes.map(|bytes| signed(bytes.max(MEMORY_LEAST)));
    let joined = format!("container:{sandbox}");
    let resolver = resolver.filter(|_| spec.mounts.iter().all(|mount| mount.target != Path::new(RESOLVER)));
    let own = resolver.map(|source| Mount {
        source: source.to_owned(),
        target: RESOLVER.into(),
        read_only: spec.privileges.read_only_root,
    });
    Ok(wire::HostConfig {
        network_mode: if pod.host_network { "host".to_owned() } else { joined.clone() },
        ipc_mode: joined,
        restart_policy: wire::RestartPolicy::default(),
        log_config: log_config(config.log_bytes),
        mounts: own.iter().chain(&spec.mounts).map(mount).collect::<Result<_, _>>()?,
        // Who joins a network has the file of whose network it is.
        extra_hosts: if pod.host_network { extra_hosts(pod) } else { Vec::new() },
        group_add: spec.privileges.supplemental_groups.iter().map(u32::to_string).collect(),
        cap_add: add_capabilities.iter().cloned().collect(),
        cap_drop: drop.cloned().collect(),
        security_opt: (!spec.privileges.may_gain).then(|| NO_NEW_PRIVILEGES.to_owned()).into_iter().collect(),
        readonly_rootfs: spec.privileges.read_only_root,
        privileged: spec.privileges.privileged,
        cpu_period: cpu_millis.map(|_| signed(CPU_PERIOD)),
        cpu_quota: cpu_millis.map(quota),
        cpu_shares: cpu_share_millis.map(shares),
        memory,
        // As much swap would be a limit of twice as much memory, which is no limit.
        memory_swap: memory,
        pids_limit: processes.map(signed),
    })
}

fn log_config(bytes: u64) -> wire::LogConfig {
    let config = BTreeMap::from([("max-size", bytes.max(1).to_string()), ("max-file", "2".to_owned())]);
    wire::LogConfig { kind: "json-file", config }
}

fn mount(mount: &Mount) -> Result<wire::NewMount, String> {
    Ok(wire::NewMount {
        kind: "bind",
        source: absolute(&mount.source, "the source of a mount")?,
        target: absolute(&mount.target, "the target of a mount")?,
        read_only: mount.read_only,
    })
}

fn working_dir(path: &Path) -> Result<String, String> {
    absolute(path, "the working directory")
}

fn absolute(path: &Path, what: &str) -> Result<String, String> {
    match path.to_str() {
        Some(text) if path.is_absolute() && !text.contains('\0') => Ok(text.to_owned()),
        Some(_) => Err(format!("{what} {path:?} is not absolute: begin it with '/'")),
        None => Err(format!("{what} {path:?} is not text in UTF-8, and Docker knows no other: rename it")),
    }
}

/// `NAME=value`; of one name given twice the last counts.
pub(super) fn environment(env: &[(String, String)]) -> Result<Vec<String>, String> {
    let mut lines: Vec<String> = Vec::new();
    for (position, (name, value)) in env.iter().enumerate() {
        if name.is_empty() || name.contains(['\0', '=']) {
            return Err(format!("{name:?} cannot be the name of an environment variable: use letters, digits and '_'"));
        }
        if value.contains('\0') {
            return Err(format!("a zero byte cannot be passed to a program: remove it from the variable {name}"));
        }
        if !env[position + 1..].iter().any(|(later, _)| later == name) {
            lines.push(format!("{name}={value}"));
        }
    }
    Ok(lines)
}

/// As whom it runs, in Docker's words; `None` is what the image says.
fn user(privileges: &Privileges, image_user: &str) -> Result<Option<String>, String> {
    let of_image = image_user.split(':').next().unwrap_or_default();
    if privileges.non_root {
        let asked = privileges.user.map_or_else(|| of_image.to_owned(), |user| user.to_string());
        match asked.parse::<u32>() {
            Ok(0) => return Err("it must not run as root, and would: choose another user".to_owned()),
            Ok(_) => {}
            Err(_) if asked.is_empty() => {
                return Err("it must not run as root, and its image names no other user: choose one".to_owned());
            }
            Err(_) => {
                return Err(format!(
                    "it must not run as root, and whether the image's user {asked:?} is root cannot be told: choose a \
                     user by its number"
                ));
            }
        }
    }
    Ok(match (privileges.user, privileges.group) {
        (None, None) => None,
        (Some(user), None) => Some(user.to_string()),
        (Some(user), Some(group)) => Some(format!("{user}:{group}")),
        (None, Some(group)) => Some(format!("{}:{group}", if of_image.is_empty() { "0" } else { of_image })),
    })
}

/// The name by which Docker finds an image: where there is a digest, the tag says no more.
pub(super) fn image_reference(name: &ImageName) -> String {
    match name.digest() {
        Some(digest) => format!("{}/{}@{digest}", name.registry(), name.repository()),
        None => name.to_string(),
    }
}

/// One of our containers as Docker has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Docker's own id of it.
    pub(super) docker_id: String,
    pub(super) sandbox: SandboxSpec,
    /// The address of a sandbox that is not in a network of Docker's.
    pub(super) own_ip: Option<Ipv4Addr>,
    pub(super) role: Role,
    pub(super) created_at: Timestamp,
    pub(super) was_started: bool,
    pub(super) running: bool,
    pub(super) pid: Option<u32>,
}

impl Found {
    /// The exit code of an attempt that has ended.
    pub(super) fn exit_code(&self) -> Option<i32> {
        match &self.role {
            Role::Attempt(status) => match status.state {
                ContainerState::Exited { code, .. } => Some(code),
                ContainerState::Running { .. } => None,
            },
            Role::Sandbox { .. } => None,
        }
    }
}

/// What a container of ours is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Sandbox { ip: Option<IpAddr> },
    Attempt(Box<ContainerStatus>),
}

/// Reads what Docker tells of a container; `None` if it is not one of ours. Labels alone do not make it one: an image can
/// bring labels, and its name was given by whoever made it.
pub(super) fn found(config: &DockerConfig, container: &wire::Container) -> Option<Found> {
    let labels = container.config.labels.as_ref()?;
    if *labels.get(label::SCOPE)? != config.scope.to_string() {
        return None;
    }
    let sandbox: SandboxSpec = serde_json::from_str(labels.get(label::SANDBOX)?).ok()?;
    let own_ip: Option<Ipv4Addr> = labels.get(label::IP).and_then(|ip| ip.parse().ok());
    let role = match labels.get(label::CONTAINER) {
        None if sandbox.host_network => Role::Sandbox { ip: None },
        None => Role::Sandbox { ip: own_ip.map(IpAddr::V4).or_else(|| ip(&container.network_settings)) },
        Some(name) => {
            let (name, attempt) = (name.parse().ok()?, labels.get(label::ATTEMPT)?.parse().ok()?);
            let id = ContainerId { pod: sandbox.pod.clone(), name, attempt };
            let spec: ContainerSpec = serde_json::from_str(labels.get(label::SPEC)?).ok()?;
            Role::Attempt(Box::new(status(id, spec, container)))
        }
    };
    let name = match &role {
        Role::Sandbox { .. } => config.scope.sandbox(&sandbox.pod),
        Role::Attempt(status) => config.scope.container(&status.id),
    };
    (container.name.strip_prefix('/') == Some(&name)).then(|| Found {
        docker_id: container.id.clone(),
        sandbox,
        own_ip,
        role,
        created_at: time(&container.created).unwrap_or_default(),
        was_started: container.state.status != "created",
        running: container.state.running,
        pid: (container.state.running && container.state.pid > 0).then_some(container.state.pid),
    })
}

fn status(id: ContainerId, spec: ContainerSpec, container: &wire::Container) -> ContainerStatus {
    let wire::State { running, pid, .. } = container.state;
    ContainerStatus {
        state: state(&container.state, &spec),
        id,
        spec,
        process: (running && pid > 0).then_some(pid),
        image_id: (!container.image.is_empty()).then(|| container.image.clone()),
    }
}

fn state(state: &wire::State, spec: &ContainerSpec) -> ContainerState {
    let started_at = time(&state.started_at).unwrap_or_default();
    if state.running {
        return ContainerState::Running { started_at };
    }
    // The clock may have been set back meanwhile.
    let finished_at = time(&state.finished_at).unwrap_or(started_at).max(started_at);
    let code = state.exit_code;
    let (reason, message) = match code {
        code if state.oom_killed && code != 0 => {
            let limit = spec.limits.memory_bytes.map(|bytes| format!(" of {bytes} bytes")).unwrap_or_default();
            (ExitReason::OutOfMemory, format!("it used more memory than its limit{limit}"))
        }
        129..=192 => (ExitReason::Signaled, String::new()),
        _ => (ExitReason::Exited, String::new()),
    };
    let message = if state.error.is_empty() { message } else { state.error.clone() };
    ContainerState::Exited { reason, code, started_at, finished_at, message }
}

/// A time as Docker writes it; what never happened is in the year 1.
fn time(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().filter(|time| *time > Timestamp::UNIX_EPOCH)
}

fn ip(settings: &wire::NetworkSettings) -> Option<IpAddr> {
    let endpoints = || settings.networks.iter().flat_map(BTreeMap::values);
    let v4 = endpoints().find_map(|endpoint| endpoint.ip_address.parse().ok());
    v4.or_else(|| endpoints().find_map(|endpoint| endpoint.global_ipv6_address.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> DockerConfig {
        DockerConfig::new("/root", "test".parse().expect("a scope"))
    }

    fn pod() -> SandboxSpec {
        SandboxSpec {
            pod: "a".parse().expect("a uid"),
            namespace: "default".to_owned(),
            name: "a".to_owned(),
            hostname: "host-a".to_owned(),
            host_network: false,
            dns: None,
            domain: None,
            host_entries: Vec::new(),
        }
    }

    fn id() -> ContainerId {
        ContainerId { pod: pod().pod, name: "web".parse().expect("a name"), attempt: 2 }
    }

    fn spec() -> ContainerSpec {
        ContainerSpec { image: Some("busybox".parse().expect("a name")), ..ContainerSpec::default() }
    }

    fn around(pod: &SandboxSpec) -> Around<'_> {
        Around { pod, sandbox: "cafe", resolver: None }
    }

    #[test]
    fn containers_see_the_file_of_their_pod_unless_they_mount_another_and_hosts_by_their_sandbox() {
        let entry = HostEntry { ip: [10, 0, 0, 1].into(), names: vec!["db".parse().expect("a name")] };
        let domain = Some("web.shop.svc.cluster.local".parse().expect("a domain"));
        let pod = SandboxSpec { domain, host_entries: vec![entry], ..pod() };
        let made = |pod: &SandboxSpec, spec: &ContainerSpec| {
            let around = Around { resolver: Some(Path::new("/own/resolv.conf")), ..around(pod) };
            let made = container(&config(), around, &id(), spec, "").expect("a container").host_config;
            let mounts: Vec<_> = made.mounts.into_iter().map(|it| (it.source, it.target, it.read_only)).collect();
            (mounts, made.extra_hosts)
        };
        let own = |read_only| ("/own/resolv.conf".to_owned(), RESOLVER.to_owned(), read_only);
        assert_eq!(made(&pod, &spec()), (vec![own(false)], vec![]));
        let privileges = Privileges { read_only_root: true, ..Privileges::default() };
        assert_eq!(made(&pod, &ContainerSpec { privileges, ..spec() }).0, [own(true)]);
        let other = Mount { source: "/other".into(), target: RESOLVER.into(), read_only: false };
        let mounts = made(&pod, &ContainerSpec { mounts: vec![other], ..spec() }).0;
        assert_eq!(mounts, [("/other".to_owned(), RESOLVER.to_owned(), false)]);
        let on_the_host = SandboxSpec { host_network: true, ..pod.clone() };
        assert_eq!(made(&on_the_host, &spec()).1, ["db:10.0.0.1"]);
        let named = |pod: &SandboxSpec| {
            let made = sandbox(&config(), pod, None);
            (made.domainname, made.host_config.extra_hosts)
        };
        let hosts = vec!["db:10.0.0.1".to_owned()];
        assert_eq!(named(&pod), (Some("web.shop.svc.cluster.local".into()), hosts.clone()));
        assert_eq!(named(&on_the_host), (None, hosts));
    }

    fn converted(spec: &ContainerSpec) -> Result<serde_json::Value, String> {
        let pod = pod();
        let container = container(&config(), around(&pod), &id(), spec, "")?;
        Ok(serde_json::to_value(container).expect("JSON"))
    }

    #[test]
    fn a_container_joins_its_sandbox_and_gains_nothing() {
        let value = converted(&spec()).expect("a container");
        let host = &value["HostConfig"];
        assert_eq!((&host["NetworkMode"], &host["IpcMode"]), (&"container:cafe".into(), &"container:cafe".into()));
        assert_eq!(host["SecurityOpt"], serde_json::json!(["no-new-privileges"]));
        assert_eq!(host["RestartPolicy"]["Name"], "no");
        assert_eq!((&host["CapAdd"], &host["Privileged"]), (&serde_json::json!([]), &false.into()));
        assert_eq!((value.get("Hostname"), value.get("User"), host.get("Memory")), (None, None, None));
        let on_the_host = SandboxSpec { host_network: true, ..pod() };
        let container = container(&config(), around(&on_the_host), &id(), &spec(), "").expect("a container");
        assert_eq!(container.host_config.network_mode, "host");
        let on_the_host = sandbox(&config(), &on_the_host, None);
        assert_eq!((on_the_host.hostname, on_the_host.host_config.network_mode.as_str()), (None, "host"));
        let joined = sandbox(&config(), &pod(), Some(Ipv4Addr::new(10, 88, 0, 2)));
        assert_eq!((joined.labels[label::IP].as_str(), &*joined.host_config.network_mode), ("10.88.0.2", "none"));
        assert_eq!(joined.host_config.extra_hosts, [format!("{}:10.88.0.2", pod().hostname)]);
        let named = SandboxSpec { domain: Some("web.shop.svc.cluster.local".parse().expect("a domain")), ..pod() };
        let joined = sandbox(&config(), &named, Some(Ipv4Addr::new(10, 88, 0, 2)));
        let hostname = pod().hostname;
        let names = format!("{hostname}.web.shop.svc.cluster.local {hostname}:10.88.0.2");
        assert_eq!(joined.host_config.extra_hosts, [names]);
    }

    #[test]
    fn limits_are_those_that_were_asked_for_as_near_as_docker_takes_them() {
        let limits = ResourceLimits {
            cpu_millis: Some(1500),
            memory_bytes: Some(1),
            processes: Some(7),
            cpu_share_millis: Some(500),
        };
        let host = converted(&ContainerSpec { limits, ..spec() }).expect("a container")["HostConfig"].clone();
        let numbers =
            ["CpuPeriod", "CpuQuota", "CpuShares", "Memory", "MemorySwap", "PidsLimit"].map(|name| &host[name]);
        assert_eq!(numbers.map(|number| number.as_i64()), [100_000, 150_000, 512, 6 << 20, 6 << 20, 7].map(Some));
        let limits = ResourceLimits { cpu_millis: Some(1), cpu_share_millis: Some(0), ..ResourceLimits::default() };
        let host = converted(&ContainerSpec { limits, ..spec() }).expect("a container")["HostConfig"].clone();
        assert_eq!((&host["CpuQuota"], &host["CpuShares"]), (&1_000.into(), &2.into()));
    }

    #[test]
    fn what_cannot_be_given_is_said() {
        let text = str::to_owned;
        for (spec, words) in [
            (ContainerSpec::default(), "no image"),
            (ContainerSpec { command: vec![text("a\0b")], ..spec() }, "zero byte"),
            (ContainerSpec { env: vec![(text("A=B"), text(""))], ..spec() }, "environment variable"),
            (ContainerSpec { env: vec![(text("A"), text("\0"))], ..spec() }, "variable A"),
            (ContainerSpec { working_dir: Some("tmp".into()), ..spec() }, "working directory"),
        ] {
            let message = converted(&spec).expect_err(words);
            assert!(message.contains(words), "{message}");
        }
        let env = [("A", "1"), ("B", ""), ("A", "2")].map(|(name, value)| (text(name), text(value)));
        assert_eq!(environment(&env), Ok(vec![text("B="), text("A=2")]));
    }

    #[test]
    fn who_must_not_be_root_is_told_from_who_may() {
        let asked = |user, group, non_root| Privileges { user, group, non_root, ..Privileges::default() };
        for (privileges, image, expected) in [
            (asked(None, None, false), "root", None),
            (asked(Some(7), None, false), "", Some("7")),
            (asked(Some(7), Some(8), true), "", Some("7:8")),
            (asked(None, Some(8), false), "app:staff", Some("app:8")),
            (asked(None, Some(8), false), "", Some("0:8")),
            (asked(None, None, true), "1000:0", None),
        ] {
            assert_eq!(user(&privileges, image).expect("a user").as_deref(), expected, "{image}");
        }
        for (privileges, image) in
            [(asked(Some(0), None, true), ""), (asked(None, None, true), ""), (asked(None, None, true), "app")]
        {
            assert!(user(&privileges, image).expect_err("it may be root").contains("must not run as root"));
        }
    }

    fn in_docker(name: &str, state: wire::State) -> wire::Container {
        let made = container(&config(), around(&pod()), &id(), &spec(), "").expect("a container");
        let labels = made.labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        wire::Container {
            name: name.to_owned(),
            state,
            config: wire::ContainerConfig { labels: Some(labels), stop_signal: None },
            ..wire::Container::default()
        }
    }

    #[test]
    fn labels_alone_do_not_make_a_container_ours() {
        assert!(found(&config(), &in_docker("/orch.test.a.web.2", wire::State::default())).is_some());
        for name in ["/orch.test.a.web.1", "/somebody", "orch.test.a.web.2", ""] {
            assert_eq!(found(&config(), &in_docker(name, wire::State::default())), None, "{name}");
        }
        let other = DockerConfig { scope: "other".parse().expect("a scope"), ..config() };
        assert_eq!(found(&other, &in_docker("/orch.test.a.web.2", wire::State::default())), None);
    }

    #[test]
    fn how_it_ended_is_read_from_its_state() {
        let ended = |exit_code, oom_killed| wire::State {
            status: "exited".to_owned(),
            exit_code,
            oom_killed,
            started_at: "2026-01-01T00:00:02Z".to_owned(),
            finished_at: "2026-01-01T00:00:01.5Z".to_owned(),
            ..wire::State::default()
        };
        for (code, oom_killed, expected) in [
            (0, false, ExitReason::Exited),
            (0, true, ExitReason::Exited),
            (126, false, ExitReason::Exited),
            (137, false, ExitReason::Signaled),
            (137, true, ExitReason::OutOfMemory),
            (255, false, ExitReason::Exited),
        ] {
            let ContainerState::Exited { reason, started_at, finished_at, .. } =
                state(&ended(code, oom_killed), &spec())
            else {
                panic!("it has ended")
            };
            assert_eq!((reason, finished_at), (expected, started_at), "{code}: it did not end before it began");
        }
        assert_eq!(time("0001-01-01T00:00:00Z"), None);
    }
}
