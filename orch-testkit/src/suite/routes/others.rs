//! R5 and R6: what is others' stays, and of these routes nothing stays after clear.

use orch_core::network::RoutesError;

use super::{HOSTS, RoutesFixture, assert_reached, hold, table, whole_table};

/// What others have is left alone.
pub async fn what_others_have_is_left_alone(fixture: impl RoutesFixture) {
    fixture.occupy(fixture.shared_range()).await;
    let before = fixture.everything().await;
    hold(&fixture, &whole_table(&fixture)).await;
    hold(&fixture, &table(&fixture, [fixture.host(0)])).await;
    hold(&fixture, &table(&fixture, [])).await;
    assert_eq!(fixture.everything().await, before, "after all hosts went");
    hold(&fixture, &whole_table(&fixture)).await;
    assert_reached(&fixture, 0..HOSTS, "beside others' routes").await;
    fixture.routes().clear().await.expect("it can be cleared");
    assert_eq!(fixture.everything().await, before, "after clear");
}

/// A range that others lead elsewhere is refused.
pub async fn a_range_that_others_lead_is_refused(fixture: impl RoutesFixture) {
    let good = table(&fixture, [fixture.host(0)]);
    hold(&fixture, &good).await;
    let (name, host) = fixture.host(1);
    let taken = host.pod_ranges[0];
    fixture.occupy(taken).await;
    let refused = fixture.routes().sync(whole_table(&fixture)).await.expect_err("others have it");
    assert!(refused.is_transient() && refused.host() == Some(&name), "{refused}");
    assert!(matches!(refused, RoutesError::Occupied { range, .. } if range == taken), "{refused}");
    assert_eq!(fixture.reached(fixture.host(0).1.pod_ranges[0]).await, Some(fixture.host(0).0), "as before");
    assert_eq!(fixture.reached(fixture.host(2).1.pod_ranges[0]).await, None, "nothing of the table holds");
    assert!(hold(&fixture, &good).await.is_unchanged(), "nothing was changed");
    let without = table(&fixture, [fixture.host(0), fixture.host(2)]);
    hold(&fixture, &without).await;
    fixture.vacate(taken).await;
    hold(&fixture, &whole_table(&fixture)).await;
    assert_reached(&fixture, 0..HOSTS, "after others gave it up").await;
}

/// After clear there is nothing but what was there before.
pub async fn nothing_is_left_after_clear(fixture: impl RoutesFixture) {
    let before = fixture.everything().await;
    fixture.routes().clear().await.expect("there is nothing to be cleared");
    for _ in 0..2 {
        hold(&fixture, &whole_table(&fixture)).await;
        assert_reached(&fixture, 0..HOSTS, "with a table").await;
        fixture.routes().clear().await.expect("it can be cleared");
        assert_reached(&fixture, [], "after clear").await;
        assert_eq!(fixture.everything().await, before);
    }
}

/// Clear removes also what an earlier process left.
pub async fn what_an_earlier_process_left_is_cleared(mut fixture: impl RoutesFixture) {
    let before = fixture.everything().await;
    hold(&fixture, &whole_table(&fixture)).await;
    fixture.restart().await;
    fixture.routes().clear().await.expect("it can be cleared");
    assert_reached(&fixture, [], "after clear").await;
    assert_eq!(fixture.everything().await, before);
}
