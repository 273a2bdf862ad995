//! R4: what others did is put right, and told.

use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::timeout;

use super::{BEFORE_LONG, Deed, HOSTS, RoutesFixture, assert_reached, hold, whole_table};

/// What others removed, altered or broke is put right by the next sync of the same table.
pub async fn what_others_did_is_put_right_by_the_next_sync(fixture: impl RoutesFixture) {
    let table = whole_table(&fixture);
    let range = fixture.host(1).1.pod_ranges[0];
    hold(&fixture, &table).await;
    for deed in Deed::ALL {
        fixture.suffer(deed, range).await;
        assert_ne!(fixture.reached(range).await, Some(fixture.host(1).0), "{deed:?} has an effect");
        let report = hold(&fixture, &table).await;
        assert!(!report.is_unchanged(), "{deed:?} is told in the report");
        assert_reached(&fixture, 0..HOSTS, "after it was put right").await;
        assert!(hold(&fixture, &table).await.is_unchanged(), "{deed:?} was put right");
    }
}

/// A new process puts right what others did before.
pub async fn a_new_process_puts_right_what_others_did(mut fixture: impl RoutesFixture) {
    let range = fixture.host(1).1.pod_ranges[0];
    for deed in Deed::ALL {
        hold(&fixture, &whole_table(&fixture)).await;
        fixture.suffer(deed, range).await;
        fixture.restart().await;
        hold(&fixture, &whole_table(&fixture)).await;
        assert_reached(&fixture, 0..HOSTS, "after a new process put it right").await;
    }
}

/// What others did is told, before long and unasked.
pub async fn what_others_did_is_told_unasked(fixture: impl RoutesFixture) {
    let range = fixture.host(1).1.pod_ranges[0];
    let mut drifted = fixture.routes().drifted();
    let table = whole_table(&fixture);
    hold(&fixture, &table).await;
    for deed in Deed::ALL {
        fixture.suffer(deed, range).await;
        let told = timeout(BEFORE_LONG, drifted.next()).await;
        assert_eq!(told, Ok(Some(())), "{deed:?} is told");
        hold(&fixture, &table).await;
        assert_reached(&fixture, 0..HOSTS, "after it was put right").await;
    }
}

/// Where nobody else did anything, the telling comes to rest.
pub async fn nothing_is_told_where_nobody_did_anything(fixture: impl RoutesFixture) {
    let mut drifted = fixture.routes().drifted();
    hold(&fixture, &whole_table(&fixture)).await;
    assert!(timeout(Duration::from_secs(2), drifted.next()).await.is_err(), "a sync is no reason for another");
    fixture.routes().clear().await.expect("it can be cleared");
    assert!(timeout(Duration::from_secs(2), drifted.next()).await.is_err(), "nothing is to be put right after clear");
}
