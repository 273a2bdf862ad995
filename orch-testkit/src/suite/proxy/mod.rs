//! The suite of [`ServiceProxy`](orch_core::proxy::ServiceProxy).
//!
//! A clause is handed a [`ProxyFixture`]: the proxy with a small world around it, of endpoints that answer with who
//! they are, and clients. There is one for proxies that work on this machine's loopback addresses, [`Loopback`], one for
//! proxies without a network, [`InMemory`], and one for proxies of the kernel, `Kernel` (feature `daemon`): a node, its
//! pods and a host outside, each a network namespace.

pub mod connections;
pub mod datagrams;
pub mod endpoints;
mod fixture;
mod in_memory;
#[cfg(feature = "daemon")]
mod kernel;
mod loopback;
pub mod policies;
mod sockets;
pub mod sources;
pub mod whole;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{Protocol, Service, TrafficPolicy};
use orch_core::proxy::{Affinity, Endpoint, EndpointState, ServicePort, ServicePortName, ServiceTable, SyncReport};

pub use fixture::{Ability, Caller, Connection, Datagrams, ProxyFixture, Source};
pub use in_memory::InMemory;
#[cfg(feature = "daemon")]
pub use kernel::{Family, Kernel};
pub use loopback::Loopback;

use super::Clause;

/// Lists the clauses of the suite.
#[doc(hidden)]
#[macro_export]
macro_rules! proxy_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::proxy as clauses; [$($args)*]
            P1 whole::every_service_port_is_served
                "Every service port of the table is served, at each of its addresses.";
            P1 whole::what_the_table_no_longer_holds_is_not_served
                "What the table no longer holds is not served any more.";
            P1 whole::what_was_shown_before_makes_no_difference
                "What the proxy was shown before makes no difference, even a table with as many changes.";
            P1 whole::an_address_can_pass_to_another_service_port
                "An address can pass from one service port to another within one sync.";
            P1 whole::a_service_port_can_change_its_addresses
                "A service port that changes its addresses is served at the new ones and not at the old.";
            P1 whole::what_runs_on_the_node_is_served
                "What runs on the node itself is served at a service's address.";
            P1 datagrams::a_datagram_is_answered_from_the_address_that_it_was_sent_to
                "A datagram reaches an endpoint, and the answer comes from the address that it was sent to.";
            P2 whole::an_invalid_table_changes_nothing
                "A table that contradicts itself is refused, and what was served before is served on, all of it and nothing else.";
            P2 whole::a_good_table_is_served_after_a_refused_one
                "A good table is served after a refused one.";
            P3 whole::a_table_that_is_served_already_changes_nothing
                "A table that is already served changes nothing, even if it was put together anew.";
            P3 whole::the_report_counts_what_was_changed
                "The report counts the service ports that were added, changed or removed.";
            P4 endpoints::only_ready_endpoints_get_connections
                "A new connection goes to a ready endpoint only.";
            P4 endpoints::endpoints_that_end_serve_while_none_is_ready
                "While no endpoint is ready, connections go to those that serve while they end.";
            P4 endpoints::without_a_usable_endpoint_connections_fail_at_once
                "Without a usable endpoint new connections fail at once, and succeed again when there is one.";
            P4 endpoints::a_removed_endpoint_gets_no_new_connection
                "An endpoint that was taken out of the table gets no new connection.";
            P4 endpoints::no_connection_fails_while_endpoints_are_replaced
                "No connection fails while endpoints are replaced all the time and one of them is always ready.";
            P4 endpoints::an_endpoint_reaches_its_own_service
                "An endpoint that connects to its own service reaches itself or another.";
            P4 policies::addresses_lead_to_endpoints_of_the_node_if_asked_for
                "With the internal policy Local a service's addresses lead to endpoints of the node alone; without one connections fail at once.";
            P4 policies::the_port_of_the_node_leads_to_endpoints_of_the_node_if_asked_for
                "With the external policy Local the node's port leads to endpoints of the node alone, and fails at once without one; the service's addresses lead where they did.";
            P4 datagrams::a_client_of_a_removed_endpoint_is_led_to_another
                "A client that goes on sending datagrams from one socket is led to another endpoint when its own is removed.";
            P4 datagrams::without_a_usable_endpoint_datagrams_are_refused_at_once
                "Without a usable endpoint a datagram is refused at once, and answered again when there is one.";
            P5 endpoints::connections_spread_evenly
                "Connections spread evenly over the endpoints.";
            P5 endpoints::a_client_keeps_its_endpoint
                "With affinity, a client keeps its endpoint while that is usable, across syncs too, and then keeps another.";
            P5 endpoints::a_client_that_stayed_away_is_led_anew
                "Each connection of a client begins the affinity's time anew, and once it is over the client is led anew.";
            P6 connections::connections_to_a_removed_endpoint_go_on
                "Connections to an endpoint that is removed go on.";
            P7 connections::a_sync_interrupts_no_connection
                "A sync interrupts no connection, neither of the service ports that it changes nor of others.";
            P7 connections::other_service_ports_take_connections_during_a_sync
                "While service ports come and go, the others go on taking connections.";
            P8 connections::nothing_is_served_after_clear
                "After clear nothing is served, and a table can be served again.";
            P9 sources::an_endpoint_sees_the_address_of_its_client
                "An endpoint sees the client's own address, at the node's port with the policy Local too.";
            P9 sources::an_endpoint_sees_the_node_where_the_answer_must_come_back_by_it
                "An endpoint that reaches itself sees an address of the node, as does one that is reached by the node's port with the policy Cluster.";
        }
    };
}

/// Makes a test of every clause of the proxy suite. The argument is an expression that makes a new [`ProxyFixture`];
/// it is evaluated inside of a tokio runtime.
#[macro_export]
macro_rules! proxy_suite {
    ($fixture:expr) => {
        $crate::proxy_clauses! { [$crate::clause_tests] [$fixture] }
    };
}

/// The clauses of the proxy suite.
#[must_use]
pub fn clauses<F: ProxyFixture>() -> &'static [Clause<F>] {
    proxy_clauses! { [crate::clause_table] [] }
}

/// How long a connection may take to be answered or refused. Far longer than any takes, so that a slow machine does
/// not fail; far shorter than for ever.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(10);

/// The name of a service port of a service that is called so.
///
/// # Panics
/// When no service can be called so.
#[must_use]
pub fn name(service: &str) -> ServicePortName {
    let service = Key::new(&Service::KIND, Some("suite"), service).expect("a valid key");
    ServicePortName { service, port: "main".to_owned() }
}

/// A service port of TCP at one address that leads to these endpoints, all ready and on other nodes.
#[must_use]
pub fn port(at: SocketAddr, backends: &[SocketAddr]) -> ServicePort {
    let endpoint = |address: &SocketAddr| Endpoint { address: *address, is_local: false, state: EndpointState::Ready };
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

/// A table of these service ports.
///
/// # Panics
/// When no service can be called so.
#[must_use]
pub fn table<const N: usize>(ports: [(&str, ServicePort); N]) -> Arc<ServiceTable> {
    let mut table = ServiceTable::default();
    for (service, port) in ports {
        table.set(name(service), Some(port));
    }
    Arc::new(table)
}

/// Makes the proxy serve a good table.
async fn serve(fixture: &impl ProxyFixture, table: Arc<ServiceTable>) -> SyncReport {
    fixture.proxy().sync(table).await.expect("a good table is served")
}

/// Which backend a new connection reaches; `None` when it is refused.
pub async fn reached(fixture: &impl ProxyFixture, to: SocketAddr) -> Option<SocketAddr> {
    fixture.connect(1, to).await.map(|connection| connection.backend())
}
