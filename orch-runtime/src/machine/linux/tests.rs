//! Machines made of files that look like the kernel's.

use std::fs;

use super::*;

struct Made(PathBuf);

impl Made {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("orch-machine-{}-{name}", std::process::id()));
        let basic = [
            ("proc/self/status", "Cpus_allowed_list:\t0-3\n"),
            ("proc/stat", "cpu  100 0 50 1000 0 0 0 0 0 0\n"),
            ("proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n"),
        ];
        for (path, text) in basic.iter().chain(files) {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("one")).expect("folders");
            fs::write(path, text).expect("a file");
        }
        Self(root)
    }

    fn stats(&self) -> io::Result<MachineStats> {
        LinuxMachine { config: LinuxMachineConfig::new(&self.0), root: self.0.clone() }.stats()
    }

    fn servers(&self, resolver: Option<PathBuf>) -> io::Result<String> {
        let config = LinuxMachineConfig { resolver, ..LinuxMachineConfig::new(&self.0) };
        LinuxMachine { config, root: self.0.clone() }.dns().map(|dns| dns.resolv_conf())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("removed");
    }
}

const GIB: u64 = 1 << 30;

#[test]
fn a_machine_without_limits_is_all_of_it() {
    let stats = Made::new("whole", &[]).stats().expect("measured");
    assert_eq!((stats.cpu_millis, stats.cpu_used_nanos), (4000, 1_500_000_000));
    assert_eq!(stats.memory, Supply { capacity: 8 * GIB, available: 4 * GIB });
    assert_eq!(stats.processes, None);
    assert_eq!(stats.system.os_image, "Linux");
}

#[test]
fn whom_the_machine_asks_for_names_is_whom_pods_can_ask() {
    const OWN: &str = "etc/resolv.conf";
    const SYSTEMD: &str = "run/systemd/resolve/resolv.conf";
    let (own, stub) = ("nameserver 9.9.9.9\n", "nameserver 127.0.0.53\noptions edns0\n");
    let real = "search lan\nnameserver 192.168.0.1\n";
    for (name, files, expected) in [
        ("own", &[(OWN, own), (SYSTEMD, real)][..], own),
        ("stub", &[(OWN, stub), (SYSTEMD, real)], real),
        ("stub-alone", &[(OWN, stub)], "nameserver 127.0.0.53\noptions edns0\n"),
    ] {
        assert_eq!(Made::new(name, files).servers(None).expect("told"), expected, "{name}");
    }
    let made = Made::new("elsewhere", &[(OWN, own), ("other", real)]);
    assert_eq!(made.servers(Some(made.0.join("other"))).expect("told"), real);
    let error = Made::new("nowhere", &[]).servers(None).expect_err("there is none");
    assert!(error.to_string().contains("cannot read") && error.to_string().contains(OWN), "{error}");
}

#[test]
fn limits_of_version_2_count_at_every_level() {
    let made = Made::new(
        "v2",
        &[
            ("proc/self/cgroup", "0::/a/b\n"),
            ("proc/self/mountinfo", "1 2 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n"),
            ("sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
            ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/a/memory.max", "2147483648\n"),
            ("sys/fs/cgroup/a/memory.current", "1610612736\n"),
            ("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 536870912\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/b/pids.max", "100\n"),
            ("sys/fs/cgroup/a/b/pids.current", "40\n"),
            ("proc/sys/kernel/pid_max", "32768\n"),
            ("proc/sys/kernel/threads-max", "20000\n"),
            ("proc/loadavg", "0 0 0 1/500 9\n"),
        ],
    );
    let stats = made.stats().expect("measured");
    assert_eq!(stats.cpu_millis, 1500);
    assert_eq!(stats.memory, Supply { capacity: 2 * GIB, available: GIB });
    assert_eq!(stats.processes, Some(Supply { capacity: 100, available: 60 }));
}

#[test]
fn limits_of_version_1_count_too() {
    let made = Made::new(
        "v1",
        &[
            ("proc/self/cgroup", "4:memory:/pod\n1:cpu,cpuacct:/pod\n0::/\n"),
            (
                "proc/self/mountinfo",
                "1 2 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             1 2 0:1 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
            ),
            ("sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_quota_us", "-1\n"),
            ("sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_period_us", "100000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/pod/memory.limit_in_bytes", "1073741824\n"),
            ("sys/fs/cgroup/memory/pod/memory.usage_in_bytes", "1073741824\n"),
            ("sys/fs/cgroup/memory/pod/memory.stat", "total_inactive_file 1048576\n"),
        ],
    );
    let stats = made.stats().expect("measured");
    assert_eq!(stats.cpu_millis, 500);
    assert_eq!(stats.memory, Supply { capacity: GIB, available: 1 << 20 });
}

#[test]
fn what_every_machine_has_is_not_left_out() {
    for (name, path, text) in
        [("memory", "proc/meminfo", "nothing"), ("processors", "proc/self/status", ""), ("time", "proc/stat", "cpu x")]
    {
        let error = Made::new(name, &[(path, text)]).stats().expect_err("not told").to_string();
        assert!(error.contains(path), "{error}");
    }
}
