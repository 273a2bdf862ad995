//! The world around a proxy of the kernel, without one: `Kernel::new` takes root.

use orch_testkit::broken::proxy::FlawedProxy;
use orch_testkit::suite::proxy::{Caller, Family, Kernel, ProxyFixture as _};
use orch_testkit::suite::run;

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

fn world(family: Family) -> Kernel<FlawedProxy> {
    // It serves nothing but in its own memory.
    Kernel::new(family, || FlawedProxy::new(None))
}

#[test]
fn callers_reach_backends_and_are_seen_as_who_they_are() {
    run(async {
        for family in FAMILIES {
            let world = world(family);
            let (one, two) = (world.start_backend().await, world.start_backend().await);
            assert_ne!(one.ip(), two.ip(), "backends are in several pods");
            for caller in [Caller::Client(0), Caller::Client(255), Caller::Backend(two), Caller::Backend(one)] {
                let mut connection = world.connect_as(caller, one).await.expect("it is reached");
                assert_eq!(connection.backend(), one);
                let source = connection.source().expect("there is something to be seen");
                assert_eq!(source.seen, source.client, "{caller:?}");
                assert!(connection.is_open().await);
            }
            let by_node = world.connect_as(Caller::Node, one).await.expect("the node reaches its pods");
            assert!(world.is_of_node(by_node.source().expect("there is something to be seen").seen));
        }
    });
}

#[test]
fn datagrams_reach_backends_that_take_them() {
    run(async {
        for family in FAMILIES {
            let world = world(family);
            let one = world.start_datagram_backend().await;
            assert_eq!(world.send_datagrams_as(Caller::Client(7), one).await.ask().await, Some(one));
            let nobody = (one.ip(), 9).into();
            assert_eq!(world.send_datagrams_as(Caller::Client(7), nobody).await.ask().await, None, "it is refused");
        }
    });
}

#[test]
fn what_nobody_serves_is_refused_at_once() {
    run(async {
        for family in FAMILIES {
            let world = world(family);
            let (service, node_port) = (world.service_address(), world.node_port());
            for _ in 0..10 {
                assert!(world.connect(1, service).await.is_none());
                assert!(world.connect(1, node_port).await.is_none());
                assert!(world.connect_as(Caller::Outside, node_port).await.is_none());
            }
            let backend = world.start_backend().await;
            world.stop_backend(backend).await;
            while world.connect(1, backend).await.is_some() {
                tokio::task::yield_now().await;
            }
            assert!(
                world.connect_as(Caller::Outside, backend).await.is_none(),
                "outside knows of nothing but the node"
            );
        }
    });
}

#[test]
fn a_thread_is_back_where_it_was_when_the_world_is_gone() {
    let own = || std::fs::read_link("/proc/thread-self/ns/net").expect("a thread is in some network namespace");
    let before = own();
    let world = world(Family::V4);
    assert_ne!(own(), before, "the thread is on the node");
    drop(world);
    assert_eq!(own(), before);
}
