//! What the tests do.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use orch_core::object::{Protocol, TrafficPolicy};
use orch_core::proxy::{
    Affinity, Endpoint, EndpointState, ServicePort, ServicePortName, ServiceProxy, ServiceTable, SyncReport,
};
use orch_net::NftablesProxy;
use orch_testkit::daemon::program;
use orch_testkit::suite::proxy::{Kernel, ProxyFixture as _};

pub(crate) fn port(at: SocketAddr, backends: &[SocketAddr]) -> ServicePort {
    let endpoint = |address: &SocketAddr| Endpoint { address: *address, is_local: true, state: EndpointState::Ready };
    ServicePort {
        protocol: Protocol::Tcp,
        addresses: BTreeSet::from([at.ip()]),
        port: at.port(),
        node_port: None,
        affinity: Affinity::None,
        internal: TrafficPolicy::Cluster,
        external: TrafficPolicy::Cluster,
        endpoints: backends.iter().map(endpoint).collect(),
    }
}

pub(crate) fn table<const N: usize>(ports: [(&str, ServicePort); N]) -> Arc<ServiceTable> {
    let mut table = ServiceTable::default();
    for (service, port) in ports {
        let service = format!("services/shop/{service}").parse().expect("a key");
        table.set(ServicePortName { service, port: String::new() }, Some(port));
    }
    Arc::new(table)
}

pub(crate) async fn serve(proxy: &NftablesProxy, table: &Arc<ServiceTable>) -> SyncReport {
    proxy.sync(Arc::clone(table)).await.expect("a good table")
}

pub(crate) async fn reached(world: &Kernel<NftablesProxy>, to: SocketAddr) -> Option<SocketAddr> {
    world.connect(1, to).await.map(|connection| connection.backend())
}

/// What the stock program says, run on the node.
pub(crate) fn nft(arguments: &str) -> String {
    let mut nft = program("nft", "nftables");
    let output = nft.args(arguments.split(' ')).output().expect("`nft` runs");
    assert!(output.status.success(), "nft {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
