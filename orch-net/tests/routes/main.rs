//! `DirectRoutes` and `VxlanRoutes` on a real kernel: they keep what `PodRoutes` promises. `Kernel::new` takes root.

mod behind_back;
mod steps;

use orch_net::{DirectConfig, DirectRoutes, VxlanConfig, VxlanRoutes};
use orch_testkit::suite::proxy::Family;
use orch_testkit::suite::routes::Kernel;

use steps::{ip, stop_forwarding};

async fn direct(family: Family) -> Kernel<DirectRoutes> {
    let make = || DirectRoutes::open(&DirectConfig::default()).expect("routes can be opened");
    Kernel::new(family, make, stop_forwarding).await
}

async fn vxlan(family: Family) -> Kernel<VxlanRoutes> {
    let make = || VxlanRoutes::open(VxlanConfig::default()).expect("routes can be opened");
    Kernel::new(family, make, || ip("link delete orch-vxlan")).await
}

mod direct_ipv4 {
    use super::*;
    orch_testkit::routes_suite!(direct(Family::V4).await);
}

mod direct_ipv6 {
    use super::*;
    orch_testkit::routes_suite!(direct(Family::V6).await);
}

mod vxlan_ipv4 {
    use super::*;
    orch_testkit::routes_suite!(vxlan(Family::V4).await);
}

mod vxlan_ipv6 {
    use super::*;
    orch_testkit::routes_suite!(vxlan(Family::V6).await);
}
