//! R1 to R3: whole tables, the last good one, and the cost of what changed.

use std::sync::Arc;

use orch_core::network::{HostTable, RoutesError};

use super::{HOSTS, RoutesFixture, assert_reached, hold, table, whole_table};

/// Every pod range of every other host leads to that host.
pub async fn every_range_of_every_other_host_leads_to_it(fixture: impl RoutesFixture) {
    assert_reached(&fixture, [], "before the first table").await;
    let (first, mut host) = fixture.host(0);
    host.pod_ranges.push(fixture.shared_range());
    hold(&fixture, &table(&fixture, [(first.clone(), host), fixture.host(1), fixture.host(2)])).await;
    assert_reached(&fixture, 0..HOSTS, "with all hosts").await;
    assert_eq!(fixture.reached(fixture.shared_range()).await, Some(first), "a host's second range leads to it, too");
}

/// What the table no longer holds is not led to any more.
pub async fn what_the_table_no_longer_holds_is_not_led_to(fixture: impl RoutesFixture) {
    let (first, mut host) = fixture.host(0);
    host.pod_ranges.push(fixture.shared_range());
    hold(&fixture, &table(&fixture, [(first, host), fixture.host(1)])).await;
    let (second, mut without_ranges) = fixture.host(1);
    without_ranges.pod_ranges.clear();
    hold(&fixture, &table(&fixture, [fixture.host(0), (second, without_ranges)])).await;
    assert_eq!(fixture.reached(fixture.shared_range()).await, None, "the first host lost its second range");
    assert_reached(&fixture, [0], "the second host has no range").await;
    hold(&fixture, &table(&fixture, [fixture.host(2)])).await;
    assert_reached(&fixture, [2], "another host alone").await;
    hold(&fixture, &table(&fixture, [])).await;
    assert_reached(&fixture, [], "the own host alone").await;
    hold(&fixture, &whole_table(&fixture)).await;
    assert_reached(&fixture, 0..HOSTS, "all of them again").await;
}

/// A range can pass from one host to another within one sync.
pub async fn a_range_can_pass_to_another_host(fixture: impl RoutesFixture) {
    for turn in [0, 1, 2, 0] {
        let hosts = (0..HOSTS).map(|number| {
            let (name, mut host) = fixture.host(number);
            host.pod_ranges.extend((number == turn).then(|| fixture.shared_range()));
            (name, host)
        });
        let table = table(&fixture, hosts.collect::<Vec<_>>());
        hold(&fixture, &table).await;
        assert_eq!(fixture.reached(fixture.shared_range()).await, Some(fixture.host(turn).0));
        assert_reached(&fixture, 0..HOSTS, "their own ranges stay theirs").await;
    }
}

/// A host that changes its address is led to at the new one.
pub async fn a_host_can_change_its_address(fixture: impl RoutesFixture) {
    let (name, host) = fixture.host(0);
    for address in &host.addresses {
        let mut moved = host.clone();
        moved.addresses = vec![*address];
        let report = hold(&fixture, &table(&fixture, [(name.clone(), moved), fixture.host(1)])).await;
        assert!(report.hosts >= 1, "there was something to be changed for {address}");
        assert_reached(&fixture, [0, 1], "at another address").await;
    }
    // Two hosts change places: then neither is where it was.
    let ((first, mut one), (second, mut two)) = (fixture.host(0), fixture.host(1));
    std::mem::swap(&mut one.pod_ranges, &mut two.pod_ranges);
    hold(&fixture, &table(&fixture, [(first, one.clone()), (second, two)])).await;
    hold(&fixture, &table(&fixture, [fixture.host(0), fixture.host(1)])).await;
    assert_reached(&fixture, [0, 1], "after two hosts had changed their ranges and back").await;
}

/// The own host's range is never led away.
pub async fn the_own_range_is_never_led_away(fixture: impl RoutesFixture) {
    let (own, host) = fixture.own();
    let range = host.pod_ranges[0];
    assert_eq!(fixture.reached(range).await, Some(own.clone()), "before the first table");
    hold(&fixture, &whole_table(&fixture)).await;
    assert_eq!(fixture.reached(range).await, Some(own.clone()), "the table has the own host");
    hold(&fixture, &Arc::new(HostTable::new(own.clone()))).await;
    assert_eq!(fixture.reached(range).await, Some(own), "the table has nobody");
    assert_reached(&fixture, [], "the table has nobody").await;
}

/// What an earlier process left makes no difference.
pub async fn what_an_earlier_process_left_makes_no_difference(mut fixture: impl RoutesFixture) {
    hold(&fixture, &table(&fixture, [fixture.host(0), fixture.host(1)])).await;
    fixture.restart().await;
    assert_reached(&fixture, [0, 1], "what was led to is led to while there is no process").await;
    let report = hold(&fixture, &table(&fixture, [fixture.host(1), fixture.host(2)])).await;
    assert_reached(&fixture, [1, 2], "the new table").await;
    assert_eq!(report.hosts, 2, "one host went and one came");
}

/// A table that contradicts itself is refused, and what held before still holds.
pub async fn an_invalid_table_changes_nothing(fixture: impl RoutesFixture) {
    let good = table(&fixture, [fixture.host(0), fixture.host(1)]);
    hold(&fixture, &good).await;
    let (name, mut wrong) = fixture.host(2);
    wrong.pod_ranges = fixture.host(1).1.pod_ranges;
    let bad = table(&fixture, [fixture.host(1), (name.clone(), wrong)]);
    let error = fixture.routes().sync(bad).await.expect_err("two hosts have the same range");
    assert!(matches!(error, RoutesError::InvalidTable { .. }), "{error}");
    assert!(error.to_string().contains(&name) && error.to_string().contains(&fixture.host(1).0), "{error}");
    assert!(!error.is_transient() && error.host().is_some(), "{error}");
    assert_reached(&fixture, [0, 1], "after a refused table").await;
    assert!(hold(&fixture, &good).await.is_unchanged(), "nothing had been changed");
}

/// A good table holds after a refused one.
pub async fn a_good_table_holds_after_a_refused_one(fixture: impl RoutesFixture) {
    let (name, mut wrong) = fixture.host(0);
    wrong.addresses.clear();
    let refused = fixture.routes().sync(table(&fixture, [(name, wrong), fixture.host(1)])).await;
    assert!(refused.is_err(), "a host without an address cannot be led to");
    assert_reached(&fixture, [], "the first table was refused").await;
    hold(&fixture, &whole_table(&fixture)).await;
    assert_reached(&fixture, 0..HOSTS, "after a refused table").await;
}

/// A table that already holds changes nothing.
pub async fn a_table_that_holds_already_changes_nothing(mut fixture: impl RoutesFixture) {
    let report = hold(&fixture, &whole_table(&fixture)).await;
    assert_eq!(report.hosts, HOSTS, "all hosts are new");
    assert!(hold(&fixture, &whole_table(&fixture)).await.is_unchanged(), "it was put together anew");
    fixture.restart().await;
    assert!(hold(&fixture, &whole_table(&fixture)).await.is_unchanged(), "it is a new process");
    assert_reached(&fixture, 0..HOSTS, "after that").await;
}

/// The report counts the hosts that were added, changed or removed.
pub async fn the_report_counts_the_hosts_that_were_changed(fixture: impl RoutesFixture) {
    let mut changing = (*table(&fixture, [fixture.host(0)])).clone();
    assert_eq!(hold(&fixture, &Arc::new(changing.clone())).await.hosts, 1, "one was added");
    for number in 1..HOSTS {
        let (name, host) = fixture.host(number);
        changing.set(name, Some(host));
    }
    assert_eq!(hold(&fixture, &Arc::new(changing.clone())).await.hosts, HOSTS - 1, "the rest was added");
    let (name, mut host) = fixture.host(0);
    host.pod_ranges.push(fixture.shared_range());
    changing.set(name.clone(), Some(host));
    assert_eq!(hold(&fixture, &Arc::new(changing.clone())).await.hosts, 1, "one got another range");
    changing.set(name, None);
    changing.set(fixture.host(1).0, None);
    assert_eq!(hold(&fixture, &Arc::new(changing.clone())).await.hosts, 2, "two were removed");
    let unchanged = hold(&fixture, &Arc::new(changing)).await;
    assert!(unchanged.is_unchanged(), "nothing was: {unchanged:?}");
}
