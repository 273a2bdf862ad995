//! The proxies keep what `ServiceProxy` promises.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use async_trait::async_trait;
use orch_net::{MemoryConnection, MemoryProxy, UserspaceConfig, UserspaceProxy};
use orch_testkit::suite::proxy::{Ability, Connection, InMemory, Loopback};

struct InMemoryConnection(MemoryConnection);

#[async_trait]
impl Connection for InMemoryConnection {
    fn backend(&self) -> SocketAddr {
        self.0.endpoint()
    }

    async fn is_open(&mut self) -> bool {
        self.0.is_open()
    }
}

fn in_memory() -> InMemory<MemoryProxy> {
    let fixture = InMemory::new(MemoryProxy::default(), |proxy, protocol, client, to| {
        Some(Box::new(InMemoryConnection(proxy.connect(protocol, client.ip(), to)?)))
    });
    fixture.without(Ability::SourceAddress)
}

fn userspace() -> Loopback<UserspaceProxy> {
    let fixture = Loopback::new(|address| {
        UserspaceProxy::new(UserspaceConfig { node_addresses: BTreeSet::from([address]), ..UserspaceConfig::default() })
    });
    fixture.without(Ability::SourceAddress)
}

mod memory_proxy {
    orch_testkit::proxy_suite!(super::in_memory());
}

mod userspace_proxy {
    orch_testkit::proxy_suite!(super::userspace());
}
