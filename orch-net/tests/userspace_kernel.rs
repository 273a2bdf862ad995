//! `UserspaceProxy` keeps what `ServiceProxy` promises in a network like that of a real node, in which the addresses of
//! services are the node's own: pods with addresses of theirs, a host outside, IPv4 and IPv6. `Kernel::new` takes root.

use std::collections::BTreeSet;

use orch_net::{UserspaceConfig, UserspaceProxy};
use orch_testkit::suite::proxy::{Ability, Family, Kernel};

fn world(family: Family) -> Kernel<UserspaceProxy> {
    let node_addresses = BTreeSet::from([family.node_address()]);
    let world =
        Kernel::new(family, || UserspaceProxy::new(UserspaceConfig { node_addresses, ..UserspaceConfig::default() }));
    world.with_services_on_the_node().without(Ability::SourceAddress)
}

mod ipv4 {
    use super::*;
    orch_testkit::proxy_suite!(world(Family::V4));
}

mod ipv6 {
    use super::*;
    orch_testkit::proxy_suite!(world(Family::V6));
}
