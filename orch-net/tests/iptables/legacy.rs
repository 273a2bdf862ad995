//! The kernel's older interface, which some machines still use.

use std::fs;
use std::os::unix::fs::symlink;

use orch_core::proxy::ServicePort;
use orch_net::{IptablesConfig, IptablesProxy};
use orch_testkit::suite::proxy::{Family, Kernel, ProxyFixture as _};

use crate::node::{config, port, reached, run, table};

#[test]
fn services_are_served_by_the_legacy_programs_too() {
    let folder = std::env::temp_dir().join(format!("orch-legacy-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let real = config().programs.expect("the folder of the programs").join("xtables-legacy-multi");
    for family in ["iptables", "ip6tables"] {
        for name in [family.to_owned(), format!("{family}-save"), format!("{family}-restore")] {
            symlink(&real, folder.join(name)).expect("a link");
        }
    }
    orch_testkit::suite::run(async {
        let programs = Some(folder.clone());
        let world = Kernel::new(Family::V4, || IptablesProxy::new(IptablesConfig { programs, ..config() }));
        let (one, two, at) = (world.start_backend().await, world.start_backend().await, world.service_address());
        let empty = world.service_address();
        let both = ServicePort { node_port: Some(30_080), ..port(at, &[one]) };
        world.proxy().sync(table([("a", both), ("b", port(empty, &[]))])).await.expect("a good table");
        assert_eq!(reached(&world, at).await, Some(one));
        assert_eq!(reached(&world, empty).await, None);
        assert_eq!(world.inner().check().await.expect("it is read"), 0, "rules stand as they were written");
        world.proxy().sync(table([("a", port(at, &[two]))])).await.expect("a good table");
        assert_eq!(reached(&world, at).await, Some(two));
        world.proxy().clear().await.expect("it can be cleared");
        assert!(!run("iptables-legacy-save", "", "").contains("ORCH-"), "nothing is left behind");
    });
    fs::remove_dir_all(&folder).expect("the folder is there");
}
