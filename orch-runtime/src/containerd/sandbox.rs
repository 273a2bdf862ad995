//! [`create`]: makes what the containers of a pod share.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use nix::sched::CloneFlags;
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{PodUid, RuntimeError, SandboxSpec, SandboxStatus};

use super::error::{Failure, Unless as _};
use super::folder::{RootFolder, make_folder};
use super::lock::Lock;
use super::pod::{Pod, no_such_pod};
use super::record::{Record, SandboxRecord};
use super::wire::{CreateContainer, DeleteContainer};
use super::{Shared, names};
use crate::namespace;

/// The most that is taken over of the node's resolver configuration.
const RESOLVER_LIMIT: usize = 64 << 10;

/// Makes a sandbox exist. The record comes first, so that whatever is made can be found; what is missing after a crash is
/// made by the next call.
pub(super) async fn create(shared: &Arc<Shared>, spec: SandboxSpec) -> Result<SandboxStatus, RuntimeError> {
    let _lock = Lock::take(shared.root.lock(&spec.pod)).await?;
    let pod = spec.pod.clone();
    let known = shared.pod(&pod).await?;
    let sandbox = match known.as_ref().and_then(|pod| pod.sandbox.clone()) {
        Some(sandbox) => sandbox,
        None => record(shared, spec).await?,
    };
    if shared.is_ready(&sandbox, &shared.network.joined().await?) {
        return status(known, sandbox, true).ok_or_else(|| no_such_pod(&pod));
    }
    if let Some(running) = known.as_ref().and_then(|pod| pod.running(None)) {
        return Err(RuntimeError::StillRunning { id: running.id.clone() });
    }
    build(shared, &sandbox).await?;
    status(known, sandbox, true).ok_or_else(|| no_such_pod(&pod))
}

fn status(known: Option<Pod>, sandbox: SandboxRecord, ready: bool) -> Option<SandboxStatus> {
    let attempts = known.map(|pod| pod.attempts).unwrap_or_default();
    Pod { sandbox: Some(sandbox), attempts }.status(ready)
}

/// Writes down what is to be there, with an address that nobody else has.
async fn record(shared: &Arc<Shared>, spec: SandboxSpec) -> Result<SandboxRecord, RuntimeError> {
    // Held until it is on record whose the address is.
    let mut addresses = shared.network.addresses().await?;
    let ip = if spec.host_network { None } else { Some(addresses.give(&spec.pod).await?) };
    let sandbox = SandboxRecord { spec, ip, created_at: SystemClock.now(), latest: Default::default() };
    shared.client.call(CreateContainer { container: Some(sandbox.container()) }).await.unless_exists()?;
    Ok(sandbox)
}

/// Makes everything but the record, whatever there is of it already.
async fn build(shared: &Arc<Shared>, sandbox: &SandboxRecord) -> Result<(), RuntimeError> {
    let (root, written) = (shared.root.clone(), sandbox.clone());
    let made = tokio::task::spawn_blocking(move || {
        let spec = &written.spec;
        if !spec.host_network {
            namespace::make(vec![
                (CloneFlags::CLONE_NEWNET, root.namespace("net", &spec.pod)),
                (CloneFlags::CLONE_NEWIPC, root.namespace("ipc", &spec.pod)),
            ])?;
        }
        write_files(&root, &written)
    });
    let made = made.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    let pod = &sandbox.spec.pod;
    made.map_err(|error| Failure::io("cannot make the sandbox in", &shared.root.pod(pod), error))?;
    let Some(ip) = sandbox.ip else { return Ok(()) };
    let path = shared.root.namespace("net", pod);
    let net = File::open(&path).map_err(|error| Failure::io("cannot open", &path, error))?;
    shared.network.join(pod, &net, ip).await
}

/// Removes everything but the record.
pub(super) async fn demolish(shared: &Arc<Shared>, pod: &PodUid) -> Result<(), RuntimeError> {
    shared.network.leave(pod).await?;
    let (root, uid) = (shared.root.clone(), pod.clone());
    let removed = tokio::task::spawn_blocking(move || {
        for kind in ["net", "ipc"] {
            namespace::remove(&root.namespace(kind, &uid))?;
        }
        super::folder::remove_folder(&root.pod(&uid))
    });
    let removed = removed.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    Ok(removed.map_err(|error| Failure::io("cannot remove", &shared.root.pod(pod), error))?)
}

/// Removes the record; the address rests from now on.
pub(super) async fn forget(shared: &Arc<Shared>, pod: &PodUid) -> Result<(), RuntimeError> {
    let mut addresses = shared.network.addresses().await?;
    shared.client.call(DeleteContainer { id: names::sandbox_record(pod) }).await.unless_missing()?;
    addresses.give_back(pod).await
}

/// What is on record is so, whatever was written down of addresses.
pub(super) async fn settle_addresses(shared: &Arc<Shared>) -> Result<(), RuntimeError> {
    let mut addresses = shared.network.addresses().await?;
    let pods = shared.records(None).await?.into_iter().filter_map(|record| match record {
        Record::Sandbox(sandbox) => Some((sandbox.spec.pod, sandbox.ip)),
        Record::Attempt(_) => None,
    });
    addresses.settle(&pods.collect::<BTreeMap<_, _>>()).await
}

/// The files that all containers of a pod see, and where.
pub(super) fn files(root: &RootFolder, pod: &PodUid) -> Vec<(std::path::PathBuf, &'static str)> {
    let folder = root.pod(pod);
    [("hosts", "/etc/hosts"), ("hostname", "/etc/hostname"), ("resolv.conf", "/etc/resolv.conf")]
        .map(|(name, target)| (folder.join(name), target))
        .into()
}

fn write_files(root: &RootFolder, sandbox: &SandboxRecord) -> io::Result<()> {
    let SandboxSpec { pod, hostname, dns, .. } = &sandbox.spec;
    let folder = root.pod(pod);
    make_folder(&folder)?;
    let resolver = dns.as_ref().map_or_else(node_resolver, |dns| dns.resolv_conf().into_bytes());
    write(&folder.join("hosts"), hosts(sandbox).as_bytes())?;
    write(&folder.join("hostname"), format!("{hostname}\n").as_bytes())?;
    // The last one: a sandbox is ready when it is there.
    write(&folder.join("resolv.conf"), &resolver)
}

fn node_resolver() -> Vec<u8> {
    let mut resolver = fs::read("/etc/resolv.conf").unwrap_or_default();
    resolver.truncate(RESOLVER_LIMIT);
    resolver
}

/// What the containers of a pod find in `/etc/hosts`. As in Kubernetes, the pod's name in its domain comes first: it is what
/// a program is told that asks for the whole name of its host.
fn hosts(sandbox: &SandboxRecord) -> String {
    let SandboxSpec { hostname, domain, host_entries, .. } = &sandbox.spec;
    let mut hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
    if let Some(ip) = sandbox.ip {
        let hostname = hostname.replace(char::is_whitespace, "");
        let whole = domain.as_ref().map(|domain| format!("{hostname}.{domain}\t")).unwrap_or_default();
        hosts.push_str(&format!("{ip}\t{whole}{hostname}\n"));
    }
    host_entries.iter().for_each(|entry| hosts.push_str(&format!("{entry}\n")));
    hosts
}

/// Containers may run as anybody, and read these.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, content)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use orch_core::runtime::HostEntry;

    use super::*;

    #[test]
    fn a_pod_knows_its_own_name_and_the_names_that_it_was_told() {
        let entry = HostEntry { ip: [10, 0, 0, 1].into(), names: vec!["db".parse().expect("a name")] };
        let spec = SandboxSpec {
            pod: "a".parse().expect("a uid"),
            namespace: "shop".to_owned(),
            name: "a".to_owned(),
            hostname: "web-0".to_owned(),
            host_network: false,
            dns: None,
            domain: Some("web.shop.svc.cluster.local".parse().expect("a domain")),
            host_entries: vec![entry],
        };
        let ip = Some([10, 88, 0, 2].into());
        let sandbox = SandboxRecord { spec, ip, created_at: SystemClock.now(), latest: Default::default() };
        let lines = hosts(&sandbox);
        let lines: Vec<&str> = lines.lines().skip(2).collect();
        assert_eq!(lines, ["10.88.0.2\tweb-0.web.shop.svc.cluster.local\tweb-0", "10.0.0.1\tdb"]);
        let alone = SandboxRecord { spec: SandboxSpec { domain: None, ..sandbox.spec }, ..sandbox };
        assert_eq!(hosts(&alone).lines().nth(2), Some("10.88.0.2\tweb-0"));
    }
}
