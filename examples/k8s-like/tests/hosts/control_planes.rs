//! Two control planes of one cluster.

use crate::hosts::Hosts;
use crate::manifests::{hello, web};

#[test]
fn a_second_control_plane_stands_by_and_takes_over_when_the_first_is_killed() {
    let hosts = Hosts::new("planes", 3);
    hosts.write(&web(1, &hello(&hosts.token)));
    let first = hosts.control_plane("first");
    let nodes = [hosts.node(1, "a", &[]), hosts.node(2, "b", &[])];
    hosts.settle(1);
    let second = hosts.control_plane("second");
    hosts.until("the second one stands by", || second.has_said(&["stands by"]).then_some(()));
    assert!(!second.has_said(&["leads"]) || !second.has_said(&["this control plane leads"]), "{}", second.said());
    let running = hosts.processes();
    first.crash();
    hosts.write(&web(2, &hello(&hosts.token)));
    hosts.until("the second one leads", || second.has_said(&["this control plane leads"]).then_some(()));
    hosts.settle(2);
    assert!(running.is_subset(&hosts.processes()), "what ran goes on");
    let third = hosts.control_plane("third");
    hosts.until("the third one stands by", || third.has_said(&["stands by"]).then_some(()));
    // Who leaves in good order need not be waited for.
    second.stop();
    hosts.until("the third one leads", || third.has_said(&["this control plane leads"]).then_some(()));
    for node in nodes {
        node.stop();
    }
    third.stop();
    assert!(hosts.processes().is_empty());
}
