//! R7: hosts that do not change are not disturbed by others that do.

use std::sync::Arc;

use futures::future::{Either, select};

use super::{HOSTS, RoutesFixture, assert_reached, hold, table, whole_table};

/// How often other hosts come and go.
const TURNS: usize = 20;

/// Connections to a host go on, and new ones are made, while other hosts come and go.
pub async fn connections_go_on_while_other_hosts_come_and_go(fixture: impl RoutesFixture) {
    let (name, host) = fixture.host(0);
    let range = host.pod_ranges[0];
    hold(&fixture, &table(&fixture, [fixture.host(0)])).await;
    let mut conversation = fixture.connect(range).await.expect("it is reached");
    let changes = async {
        for turn in 0..TURNS {
            let others = (0..HOSTS).filter(|number| *number == 0 || number % 2 == turn % 2);
            let others: Vec<_> = others.map(|number| fixture.host(number)).collect();
            hold(&fixture, &table(&fixture, others)).await;
            tokio::task::yield_now().await;
        }
    };
    let visits = async {
        loop {
            assert_eq!(fixture.reached(range).await, Some(name.clone()), "while others come and go");
            assert!(conversation.goes_on().await, "a connection goes on while others come and go");
            tokio::task::yield_now().await;
        }
    };
    match select(std::pin::pin!(changes), std::pin::pin!(visits)).await {
        Either::Left(((), _)) => {}
        Either::Right(((), _)) => unreachable!("visits do not end"),
    }
    assert!(conversation.goes_on().await, "a connection goes on after others came and went");
}

/// A sync whose future is dropped at any point leaves each host as before or after, and the next puts it right.
pub async fn a_dropped_sync_is_put_right_by_the_next(fixture: impl RoutesFixture) {
    let (old, new) =
        (table(&fixture, [fixture.host(0), fixture.host(1)]), table(&fixture, [fixture.host(1), fixture.host(2)]));
    let stays = fixture.host(1);
    for polls in 0..40 {
        hold(&fixture, &old).await;
        let mut sync = fixture.routes().sync(Arc::clone(&new));
        let mut done = false;
        for _ in 0..polls {
            done |= futures::poll!(&mut sync).is_ready();
            if done {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(sync);
        assert_eq!(fixture.reached(stays.1.pod_ranges[0]).await, Some(stays.0.clone()), "the host in both tables");
        for number in [0, 2] {
            let (name, host) = fixture.host(number);
            let reached = fixture.reached(host.pod_ranges[0]).await;
            assert!(reached.is_none() || reached.as_ref() == Some(&name), "{reached:?} answers for {name}");
        }
        hold(&fixture, &new).await;
        assert_reached(&fixture, [1, 2], "after the next sync").await;
        if done {
            return;
        }
    }
    hold(&fixture, &whole_table(&fixture)).await;
    assert_reached(&fixture, 0..HOSTS, "after all of them").await;
}
