//! The suite of [`PodRoutes`](orch_core::network::PodRoutes).
//!
//! A clause is handed a [`RoutesFixture`]: the routes of one host with a small world around it, of other hosts with a pod
//! each. There is one for routes without a network, [`InMemory`], and one for routes of the kernel, `Kernel` (feature
//! `daemon`): hosts and pods are network namespaces, and packets travel between them.

mod fixture;
mod in_memory;
#[cfg(feature = "daemon")]
mod kernel;
pub mod others;
pub mod repairs;
pub mod undisturbed;
pub mod whole;

use std::sync::Arc;
use std::time::Duration;

use orch_core::network::{Host, HostTable, RoutesReport};

pub use fixture::{Conversation, Deed, HOSTS, RoutesFixture};
pub use in_memory::{InMemory, Landscape};
#[cfg(feature = "daemon")]
pub use kernel::Kernel;

use super::Clause;

/// Lists the clauses of the suite.
#[doc(hidden)]
#[macro_export]
macro_rules! routes_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::routes as clauses; [$($args)*]
            R1 whole::every_range_of_every_other_host_leads_to_it
                "Every pod range of every other host leads to that host.";
            R1 whole::what_the_table_no_longer_holds_is_not_led_to
                "What the table no longer holds is not led to any more: a host, or one of its ranges.";
            R1 whole::a_range_can_pass_to_another_host
                "A range can pass from one host to another within one sync.";
            R1 whole::a_host_can_change_its_address
                "A host that changes its address is led to at the new one.";
            R1 whole::the_own_range_is_never_led_away
                "The own host's range is never led away, whether the table has the own host or not.";
            R1 whole::what_an_earlier_process_left_makes_no_difference
                "What an earlier process left makes no difference: what is still right stays, and the rest goes.";
            R2 whole::an_invalid_table_changes_nothing
                "A table that contradicts itself is refused with the host's name, and what held before still holds.";
            R2 whole::a_good_table_holds_after_a_refused_one
                "A good table holds after a refused one.";
            R3 whole::a_table_that_holds_already_changes_nothing
                "A table that already holds changes nothing, even if it was put together anew, or by a new process.";
            R3 whole::the_report_counts_the_hosts_that_were_changed
                "The report counts the hosts that were added, changed or removed.";
            R4 repairs::what_others_did_is_put_right_by_the_next_sync
                "What others removed, altered or broke is put right by the next sync of the same table.";
            R4 repairs::a_new_process_puts_right_what_others_did
                "A new process puts right what others did before.";
            R4 repairs::what_others_did_is_told_unasked
                "What others did is told, before long and unasked.";
            R4 repairs::nothing_is_told_where_nobody_did_anything
                "Where nobody else did anything, the telling comes to rest.";
            R5 others::what_others_have_is_left_alone
                "What others have is left alone by syncs, and by clear.";
            R5 others::a_range_that_others_lead_is_refused
                "A range that others lead elsewhere is refused with host and range; what held before still holds, and it can be had when they give it up.";
            R6 others::nothing_is_left_after_clear
                "After clear there is nothing but what was there before, and a table can hold again.";
            R6 others::what_an_earlier_process_left_is_cleared
                "Clear removes also what an earlier process left.";
            R7 undisturbed::connections_go_on_while_other_hosts_come_and_go
                "Connections to a host go on, and new ones are made, while other hosts come and go.";
            R7 undisturbed::a_dropped_sync_is_put_right_by_the_next
                "A sync whose future is dropped at any point leaves each host led to as before or after, and the next puts it right.";
        }
    };
}

/// Makes a test of every clause of the suite of pod routes. The argument is an expression that makes a new
/// [`RoutesFixture`]; it is evaluated inside of a tokio runtime.
#[macro_export]
macro_rules! routes_suite {
    ($fixture:expr) => {
        $crate::routes_clauses! { [$crate::clause_tests] [$fixture] }
    };
}

/// The clauses of the suite of pod routes.
#[must_use]
pub fn clauses<F: RoutesFixture>() -> &'static [Clause<F>] {
    routes_clauses! { [crate::clause_table] [] }
}

/// How long something may take that happens by itself. Far longer than it does.
pub(crate) const BEFORE_LONG: Duration = Duration::from_secs(20);

/// A table of the own host and these others.
#[must_use]
pub fn table(fixture: &impl RoutesFixture, others: impl IntoIterator<Item = (String, Host)>) -> Arc<HostTable> {
    let (own, host) = fixture.own();
    let mut table = HostTable::new(own.clone());
    table.set(own, Some(host));
    for (name, host) in others {
        table.set(name, Some(host));
    }
    Arc::new(table)
}

/// A table of all hosts.
#[must_use]
pub fn whole_table(fixture: &impl RoutesFixture) -> Arc<HostTable> {
    table(fixture, (0..HOSTS).map(|number| fixture.host(number)))
}

/// Makes a good table hold.
async fn hold(fixture: &impl RoutesFixture, table: &Arc<HostTable>) -> RoutesReport {
    fixture.routes().sync(Arc::clone(table)).await.expect("a good table holds")
}

/// Asserts that the ranges of a host are led to it, or to nobody.
async fn assert_reached(fixture: &impl RoutesFixture, numbers: impl IntoIterator<Item = usize>, when: &str) {
    let numbers: Vec<_> = numbers.into_iter().collect();
    for number in 0..HOSTS {
        let (name, host) = fixture.host(number);
        let expected = numbers.contains(&number).then_some(name.clone());
        for range in host.pod_ranges {
            assert_eq!(fixture.reached(range).await, expected, "{when}: who answers at {range} of {name}");
        }
    }
}
