//! `NftablesProxy` on a real kernel: it keeps what `ServiceProxy` promises, and what others do to its tables is put right.
//! `Kernel::new` takes root.

mod behind_back;
mod steps;
mod takeover;

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
