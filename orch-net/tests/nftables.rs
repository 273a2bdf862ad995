//! `NftablesProxy` keeps what `ServiceProxy` promises, on a real kernel: `Kernel::new` takes root.

use orch_net::{NftablesConfig, NftablesProxy};
use orch_testkit::suite::proxy::{Family, Kernel};

fn world(family: Family) -> Kernel<NftablesProxy> {
    Kernel::new(family, || NftablesProxy::new(NftablesConfig::default()))
}

mod ipv4 {
    use super::*;
    orch_testkit::proxy_suite!(world(Family::V4));
}

mod ipv6 {
    use super::*;
    orch_testkit::proxy_suite!(world(Family::V6));
}
