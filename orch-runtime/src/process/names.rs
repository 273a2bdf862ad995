//! How the containers of a pod find names: files of the pod, mounted over the machine's where that can be done.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use orch_core::runtime::{ContainerSpec, Mount, SandboxDns, SandboxSpec};

use super::shim;

const HOSTS: &str = "/etc/hosts";
/// The files, and what they hide.
const FILES: [(&str, &str); 2] = [("resolv.conf", "/etc/resolv.conf"), ("hosts", HOSTS)];
/// The most that is taken over of the machine's hosts.
const HOSTS_LIMIT: u64 = 1 << 20;

/// Whether this process may mount where nobody else sees it.
pub(super) fn can_mount() -> bool {
    // What a thread separates from its process goes with the thread.
    std::thread::spawn(|| shim::separate_mounts().is_ok()).join().unwrap_or(false)
}

/// Writes what the containers of a pod are to see into its folder.
pub(super) fn write(folder: &Path, spec: &SandboxSpec) -> io::Result<()> {
    let [(resolver, _), (hosts, _)] = FILES;
    if let Some(text) = spec.dns.as_ref().map(SandboxDns::resolv_conf) {
        write_for_all(&folder.join(resolver), text.as_bytes())?;
    }
    if !spec.host_entries.is_empty() {
        write_for_all(&folder.join(hosts), &with_entries(&machine_hosts()?, spec))?;
    }
    Ok(())
}

fn machine_hosts() -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    match fs::File::open(HOSTS) {
        Ok(file) => file.take(HOSTS_LIMIT).read_to_end(&mut text).map(|_| text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(text),
        Err(error) => Err(error),
    }
}

fn with_entries(hosts: &[u8], spec: &SandboxSpec) -> Vec<u8> {
    let mut text = hosts.to_vec();
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
    spec.host_entries.iter().for_each(|entry| text.extend(format!("{entry}\n").into_bytes()));
    text
}

/// Containers may run as anybody, and read it.
fn write_for_all(path: &Path, content: &[u8]) -> io::Result<()> {
    fs::write(path, content)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

/// What is mounted for that in a container. A place that the machine has not got, nothing can be mounted over.
pub(super) fn mounts(folder: &Path, spec: &ContainerSpec) -> Vec<Mount> {
    let files = FILES.iter().map(|(name, target)| (folder.join(name), Path::new(target)));
    let wanted = files.filter(|(source, target)| source.exists() && target.exists());
    let read_only = spec.privileges.read_only_root;
    wanted.map(|(source, target)| Mount { source, target: target.to_owned(), read_only }).collect()
}

#[cfg(test)]
mod tests {
    use orch_core::runtime::HostEntry;

    use super::*;

    #[test]
    fn entries_begin_on_a_line_of_their_own() {
        let entry = HostEntry { ip: [10, 0, 0, 1].into(), names: vec!["db".parse().expect("a name")] };
        let spec = SandboxSpec {
            pod: "a".parse().expect("a uid"),
            namespace: String::new(),
            name: String::new(),
            hostname: String::new(),
            host_network: false,
            dns: None,
            domain: None,
            host_entries: vec![entry],
        };
        for (hosts, expected) in [
            ("", "10.0.0.1\tdb\n"),
            ("::1 localhost", "::1 localhost\n10.0.0.1\tdb\n"),
            ("::1 localhost\n", "::1 localhost\n10.0.0.1\tdb\n"),
        ] {
            assert_eq!(String::from_utf8(with_entries(hosts.as_bytes(), &spec)).expect("text"), expected);
        }
    }
}
