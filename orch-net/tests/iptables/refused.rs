//! What is served when iptables refuses a change.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use orch_core::proxy::ProxyError;
use orch_net::{IptablesConfig, IptablesProxy};
use orch_testkit::suite::proxy::{Family, Kernel, ProxyFixture as _};

use crate::node::{config, ours, port, reached, table};

/// Programs that do what those of iptables do, but not always.
struct Moody {
    folder: PathBuf,
}

impl Moody {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("orch-moody-{}-{test}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let moody = Self { folder };
        let real = config().programs.expect("the folder of the programs");
        for name in ["iptables", "iptables-save", "ip6tables", "ip6tables-save", "ip6tables-restore"] {
            std::os::unix::fs::symlink(real.join(name), moody.folder.join(name)).expect("a link");
        }
        // Refuses all, or what comes to the table nat and behind it.
        let script = format!(
            "#!/bin/sh\nwhile IFS= read -r line; do\n case \"$(cat {0}/mood) $line\" in\n 'refuse *'* | 'refuse-nat *nat') \
             echo refused >&2; exit 4;;\n esac\n printf '%s\\n' \"$line\"\ndone | {1} \"$@\"\n",
            moody.folder.display(),
            real.join("iptables-restore").display()
        );
        let path = moody.folder.join("iptables-restore");
        fs::write(&path, script).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
        moody.set("obey");
        moody
    }

    fn set(&self, mood: &str) {
        fs::write(self.folder.join("mood"), mood).expect("a file");
    }

    fn proxy(&self) -> IptablesProxy {
        let programs = Some(Path::new(&self.folder).to_owned());
        IptablesProxy::new(IptablesConfig { programs, ..config() })
    }
}

impl Drop for Moody {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn what_was_served_is_served_on_when_a_change_is_refused_wholly_or_in_part() {
    for mood in ["refuse", "refuse-nat"] {
        let moody = Moody::new(mood);
        orch_testkit::suite::run(async {
            let world = Kernel::new(Family::V4, || moody.proxy());
            let one = world.start_backend().await;
            let [changed, gone, empty, new] = [(); 4].map(|()| world.service_address());
            let good =
                [("changed", port(changed, &[one])), ("gone", port(gone, &[one])), ("z-empty", port(empty, &[]))];
            world.proxy().sync(table(good)).await.expect("a good table");
            let before = ours();
            moody.set(mood);
            let next = || {
                table([("changed", port(changed, &[])), ("new", port(new, &[one])), ("z-empty", port(empty, &[one]))])
            };
            let error = world.proxy().sync(next()).await.expect_err("it is refused");
            assert!(matches!(error, ProxyError::Unavailable { transient: true, .. }), "{error}");
            assert!(error.to_string().contains("refused"), "{error}");
            assert_eq!(reached(&world, changed).await, Some(one));
            assert_eq!(reached(&world, gone).await, Some(one));
            assert_eq!(reached(&world, empty).await, None, "it is refused at once");
            assert_eq!(reached(&world, new).await, None);
            moody.set("obey");
            world.inner().check().await.expect("it is read");
            assert_eq!(ours(), before, "{mood}: nothing is left of what was refused");
            world.proxy().sync(next()).await.expect("nothing is refused any more");
            assert_eq!(reached(&world, changed).await, None);
            assert_eq!(reached(&world, new).await, Some(one));
            assert_eq!(reached(&world, empty).await, Some(one));
        });
    }
}

#[test]
fn programs_that_are_not_there_are_named() {
    orch_testkit::suite::run(async {
        let programs = Some(PathBuf::from("/nonexistent"));
        let world = Kernel::new(Family::V4, || IptablesProxy::new(IptablesConfig { programs, ..config() }));
        let (one, at) = (world.start_backend().await, world.service_address());
        let error = world.proxy().sync(table([("a", port(at, &[one]))])).await.expect_err("there is no program");
        assert!(error.to_string().contains("/nonexistent/iptables-restore"), "{error}");
        assert!(error.to_string().contains("install iptables"), "{error}");
        assert!(!error.is_transient());
    });
}
