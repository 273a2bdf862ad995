//! `IptablesProxy` on this machine's kernel, in networks of the tests' own. They need root, and the programs of iptables.

mod drift;
mod figure;
mod foreign;
mod legacy;
mod node;
mod refused;
mod session;
mod takeover;

use orch_testkit::suite::proxy::{Family, Kernel};

mod on_ipv4 {
    orch_testkit::proxy_suite!(super::Kernel::new(super::Family::V4, super::node::proxy));
}

mod on_ipv6 {
    orch_testkit::proxy_suite!(super::Kernel::new(super::Family::V6, super::node::proxy));
}
