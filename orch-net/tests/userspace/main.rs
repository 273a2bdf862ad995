//! What `UserspaceProxy` promises beyond the contract.

mod connections;
mod datagrams;
mod figure;
mod sequences;

use std::collections::BTreeSet;
use std::time::Duration;

use orch_net::{UserspaceConfig, UserspaceProxy};
use orch_testkit::suite::proxy::Loopback;

/// Far longer than anything here takes, and short enough for a test that hangs.
const SOON: Duration = Duration::from_secs(10);

fn fixture_with(config: UserspaceConfig) -> Loopback<UserspaceProxy> {
    Loopback::new(|address| {
        UserspaceProxy::new(UserspaceConfig { node_addresses: BTreeSet::from([address]), ..config })
    })
}

fn fixture() -> Loopback<UserspaceProxy> {
    fixture_with(UserspaceConfig::default())
}
