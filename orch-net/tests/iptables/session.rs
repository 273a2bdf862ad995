//! One program makes change after change, as long as it lives and says when one is made.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use orch_net::{IptablesConfig, IptablesProxy};
use orch_testkit::suite::proxy::{Family, Kernel, ProxyFixture as _};

use crate::node::{config, port, reached, table};

/// Programs that write down when `iptables-restore` is started, and by which process.
struct Watched(PathBuf);

impl Watched {
    /// With these arguments in place of what it is told.
    fn new(test: &str, arguments: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("orch-watched-{}-{test}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let real = config().programs.expect("the folder of the programs");
        for name in ["iptables", "iptables-save", "ip6tables", "ip6tables-save", "ip6tables-restore"] {
            std::os::unix::fs::symlink(real.join(name), folder.join(name)).expect("a link");
        }
        let (log, real) = (folder.join("log"), real.join("iptables-restore"));
        let script = format!("#!/bin/sh\necho $$ >> {}\nexec {} {arguments}\n", log.display(), real.display());
        let path = folder.join("iptables-restore");
        fs::write(&path, script).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
        Self(folder)
    }

    fn proxy(&self) -> IptablesProxy {
        IptablesProxy::new(IptablesConfig { programs: Some(self.0.clone()), check_interval: None, ..config() })
    }

    /// The processes that were started.
    fn started(&self) -> Vec<String> {
        fs::read_to_string(self.0.join("log")).expect("a file").lines().map(str::to_owned).collect()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn one_program_makes_change_after_change_and_another_one_when_it_is_killed() {
    let programs = Watched::new("kept", "\"$@\"");
    orch_testkit::suite::run(async {
        let world = Kernel::new(Family::V4, || programs.proxy());
        let (one, two, at) = (world.start_backend().await, world.start_backend().await, world.service_address());
        for round in 0..6 {
            let backend = if round % 2 == 0 { one } else { two };
            world.proxy().sync(table([("a", port(at, &[backend]))])).await.expect("a good table");
            assert_eq!(reached(&world, at).await, Some(backend));
        }
        let started = programs.started();
        assert_eq!(started.len(), 1, "{started:?}");
        let killed = Command::new("kill").args(["-KILL", &started[0]]).status().expect("`kill` runs");
        assert!(killed.success());
        world.proxy().sync(table([("a", port(at, &[one]))])).await.expect("a good table");
        assert_eq!(reached(&world, at).await, Some(one));
        assert_eq!(programs.started().len(), 2);
        world.proxy().clear().await.expect("it can be cleared");
        let alive = |process: &String| fs::exists(format!("/proc/{process}")).expect("Linux");
        while programs.started().iter().any(alive) {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_program_that_does_not_say_when_a_change_is_made_is_started_for_each() {
    let programs = Watched::new("silent", "--noflush");
    orch_testkit::suite::run(async {
        let world = Kernel::new(Family::V4, || programs.proxy());
        let (one, two, at) = (world.start_backend().await, world.start_backend().await, world.service_address());
        for backend in [one, two] {
            world.proxy().sync(table([("a", port(at, &[backend]))])).await.expect("a good table");
            assert_eq!(reached(&world, at).await, Some(backend));
        }
        assert_eq!(programs.started().len(), 3, "the first is asked, and does not answer");
    });
}
