//! What the tests do.

use std::net::SocketAddr;
use std::sync::Arc;

use orch_core::proxy::{ServicePort, ServiceProxy, ServiceTable, SyncReport};
use orch_net::NftablesProxy;
use orch_testkit::daemon::program;
use orch_testkit::suite::proxy as suite;
pub(crate) use orch_testkit::suite::proxy::{reached, table};

/// A service port that leads to endpoints on this node.
pub(crate) fn port(at: SocketAddr, backends: &[SocketAddr]) -> ServicePort {
    let mut port = suite::port(at, backends);
    port.endpoints.iter_mut().for_each(|endpoint| endpoint.is_local = true);
    port
}

pub(crate) async fn serve(proxy: &NftablesProxy, table: &Arc<ServiceTable>) -> SyncReport {
    proxy.sync(Arc::clone(table)).await.expect("a good table")
}

/// What the stock program says, run on the node.
pub(crate) fn nft(arguments: &str) -> String {
    let mut nft = program("nft", "nftables");
    let output = nft.args(arguments.split(' ')).output().expect("`nft` runs");
    assert!(output.status.success(), "nft {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
