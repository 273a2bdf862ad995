//! k8s-like itself is killed, and started again on the same state folder.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use crate::harness::{Place, wait_for, web};

#[test]
fn after_kill_9_a_new_run_stops_every_earlier_process_before_its_replacement_starts() {
    let place = Place::new("restart");
    place.write(&web(&place.token, 3, ""));
    let mut up = place.up();
    up.hears(&["deployment shop/web is complete"]);
    let earlier = place.wait_for_processes("three run", |pids| pids.len() == 3);
    up.signal(Signal::SIGKILL);
    assert_eq!(up.ended(), None, "killed by a signal");
    assert_eq!(place.processes(), earlier, "containers survive the agent");

    let mut up = place.up();
    let mut most = 0;
    let seen = wait_for("three new ones run", || {
        let now = place.processes();
        most = most.max(now.len());
        (now.len() == 3 && now.is_disjoint(&earlier)).then_some(now)
    });
    assert!(most <= 3, "never more than three at a time, and {most} were seen");
    up.hears(&["deployment shop/web is complete"]);
    assert_eq!(place.processes(), seen);
    up.stop();
    assert_eq!(place.processes(), BTreeSet::new());
}

#[test]
fn a_second_run_on_the_same_state_folder_is_refused() {
    let place = Place::new("second");
    place.write(&web(&place.token, 1, ""));
    let mut up = place.up();
    up.hears(&["deployment shop/web is complete"]);
    let running = place.processes();
    let mut second = place.up();
    assert_eq!(second.ended(), Some(1));
    second.hears(&["cannot start node-1"]);
    assert_eq!(place.processes(), running, "the first one is not disturbed");
    up.stop();
}
