//! [`LinuxMachine`]: what the kernel tells of this machine.

mod cgroup;
mod parse;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use nix::sys::statvfs::statvfs;
use orch_core::clock::{Clock, SystemClock};
use orch_core::object::NodeSystemInfo;
use orch_core::runtime::{Machine, MachineStats, SandboxDns, Supply};

use self::cgroup::{Limits, Supplied};

/// How a [`LinuxMachine`] measures.
#[derive(Clone, Debug)]
pub struct LinuxMachineConfig {
    /// A folder on the file system that logs, volumes and images are on.
    pub disk: PathBuf,
    /// The file that says whom the machine asks for names. `None`, which is the default: `/etc/resolv.conf`; or where that
    /// leads to systemd's own resolver, which listens where pods cannot reach it, the file of those whom that asks.
    pub resolver: Option<PathBuf>,
    /// Tells when it was measured.
    pub clock: Arc<dyn Clock>,
}

impl LinuxMachineConfig {
    /// The defaults: the machine's clock.
    #[must_use]
    pub fn new(disk: impl Into<PathBuf>) -> Self {
        Self { disk: disk.into(), resolver: None, clock: Arc::new(SystemClock) }
    }
}

/// The machine that this process runs on. Where its cgroup, or one that this is in, may use less of it than there is,
/// the machine is as large as that: processors, memory and processes. What pods use is seen if their cgroups are in the
/// same one, or if there is no limit.
///
/// What is not told, as `/sys` in some containers, is left out; without processors or memory nothing is told.
#[derive(Clone, Debug)]
pub struct LinuxMachine {
    config: LinuxMachineConfig,
    root: PathBuf,
}

impl LinuxMachine {
    /// This machine.
    #[must_use]
    pub fn new(config: LinuxMachineConfig) -> Self {
        Self { config, root: PathBuf::from("/") }
    }

    fn stats(&self) -> io::Result<MachineStats> {
        let kernel = Kernel { root: &self.root };
        let limits = cgroup::limits(&kernel);
        let processors = kernel.parsed("proc/self/status", parse::processors_allowed)?;
        let cpu_millis = (processors * 1000).min(limits.cpu_millis.unwrap_or(u64::MAX)).max(1);
        let (disk, inodes) = self.disk().unzip();
        Ok(MachineStats {
            at: self.config.clock.now(),
            cpu_millis,
            cpu_used_nanos: kernel.parsed("proc/stat", parse::cpu_used_nanos)?,
            memory: capped(kernel.parsed("proc/meminfo", parse::memory)?, limits.memory),
            disk,
            inodes: inodes.flatten(),
            processes: kernel.processes(&limits),
            system: kernel.system(),
        })
    }

    fn dns(&self) -> io::Result<SandboxDns> {
        let kernel = Kernel { root: &self.root };
        let parsed = |path: &Path| kernel.text(path).map(|text| SandboxDns::parse(&text));
        let (dns, refused) = match &self.config.resolver {
            Some(path) => parsed(path)?,
            None => match parsed("etc/resolv.conf".as_ref())? {
                (stub, _) if stub.nameservers == [SYSTEMD_STUB] => {
                    parsed("run/systemd/resolve/resolv.conf".as_ref()).unwrap_or((stub, Vec::new()))
                }
                own => own,
            },
        };
        if !refused.is_empty() {
            tracing::debug!(?refused, "words in the machine's resolver configuration that pods do not get");
        }
        Ok(dns)
    }

    /// Bytes and files of the file system.
    fn disk(&self) -> Option<(Supply, Option<Supply>)> {
        let told = statvfs(&self.config.disk).ok()?;
        let block: u64 = told.fragment_size();
        let bytes = |blocks: u64| blocks.saturating_mul(block);
        // What only root may use is no supply: capacity and available are both without it.
        let reserved = told.blocks_free().saturating_sub(told.blocks_available());
        let capacity = bytes(told.blocks().saturating_sub(reserved));
        let disk = Supply { capacity, available: bytes(told.blocks_available()) };
        // Some file systems make files as they are needed, and tell of none.
        let inodes = Supply { capacity: told.files(), available: told.files_available() };
        Some((disk, (inodes.capacity > 0).then_some(inodes)))
    }
}

#[async_trait]
impl Machine for LinuxMachine {
    async fn measure(&self) -> io::Result<MachineStats> {
        let machine = self.clone();
        tokio::task::spawn_blocking(move || machine.stats()).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    async fn resolver(&self) -> io::Result<SandboxDns> {
        let machine = self.clone();
        tokio::task::spawn_blocking(move || machine.dns()).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

/// Where systemd-resolved answers its own machine.
const SYSTEMD_STUB: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53));

/// The kernel's files; in tests, files that look like them.
struct Kernel<'a> {
    root: &'a Path,
}

/// More than any of the files has.
const LARGEST: u64 = 4 << 20;

impl Kernel<'_> {
    fn text(&self, path: impl AsRef<Path>) -> io::Result<String> {
        let path = self.root.join(path);
        let read = || {
            let mut text = String::new();
            io::Read::read_to_string(&mut io::Read::take(std::fs::File::open(&path)?, LARGEST), &mut text)?;
            Ok(text)
        };
        read().map_err(|error: io::Error| {
            io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))
        })
    }

    fn parsed<T>(&self, path: &str, parse: impl FnOnce(&str) -> Option<T>) -> io::Result<T> {
        parse(&self.text(path)?).ok_or_else(|| {
            let message = format!("{} does not tell what it should", self.root.join(path).display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    }

    /// The first of the files that is there and not empty, in one line.
    fn line(&self, paths: &[&str]) -> String {
        let lines = paths.iter().filter_map(|path| Some(self.text(path).ok()?.trim().to_owned()));
        lines.into_iter().find(|line| !line.is_empty()).unwrap_or_default()
    }

    fn processes(&self, limits: &Limits) -> Option<Supply> {
        let number = |path| self.parsed(path, |text| text.trim().parse::<u64>().ok());
        let capacity = number("proc/sys/kernel/pid_max").ok()?.min(number("proc/sys/kernel/threads-max").ok()?);
        let used = self.parsed("proc/loadavg", parse::threads).ok()?;
        Some(capped(Supply { capacity, available: capacity.saturating_sub(used) }, limits.processes))
    }

    fn system(&self) -> NodeSystemInfo {
        let os_image = ["etc/os-release", "usr/lib/os-release"]
            .iter()
            .find_map(|path| self.parsed(path, parse::pretty_name).ok())
            .unwrap_or_else(|| "Linux".to_owned());
        let machine_id = self.line(&["etc/machine-id", "var/lib/dbus/machine-id"]);
        let system_uuid = self.line(&["sys/class/dmi/id/product_uuid", "proc/device-tree/vm,uuid"]);
        NodeSystemInfo {
            // The hardware does not tell everywhere, nor everybody.
            system_uuid: if system_uuid.is_empty() { machine_id.clone() } else { system_uuid },
            machine_id,
            boot_id: self.line(&["proc/sys/kernel/random/boot_id"]),
            kernel_version: self.line(&["proc/sys/kernel/osrelease"]),
            os_image,
            operating_system: "linux".to_owned(),
            architecture: parse::architecture(std::env::consts::ARCH).to_owned(),
            ..NodeSystemInfo::default()
        }
    }
}

/// The supply that is left of one by a limit.
fn capped(supply: Supply, limit: Option<Supplied>) -> Supply {
    let Some(limit) = limit else { return supply };
    let capacity = supply.capacity.min(limit.capacity);
    Supply { capacity, available: supply.available.min(limit.available).min(capacity) }
}

#[cfg(test)]
mod tests;
