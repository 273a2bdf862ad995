//! k8s-like itself is killed, and started again on the same state folder, while its objects are gone.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::harness::{Place, wait_for, web};

#[test]
fn after_kill_9_a_new_run_stops_every_earlier_process_before_its_replacement_starts() {
    let place = Place::new("restart");
    place.write(&web(&place.token, 3, ""));
    let mut up = place.up_with(&["--store", "memory"]);
    up.hears(&["deployment shop/web is complete"]);
    let earlier = place.wait_for_processes("three run", |pids| pids.len() == 3);
    up.crash();
    assert_eq!(place.processes(), earlier, "containers survive the agent");

    // Of its three nodes one does not come back.
    let mut up = place.up_with(&["--store", "memory", "--nodes", "2"]);
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
fn killed_at_any_moment_of_its_start_it_comes_up_again_without_a_twin() {
    let place = Place::new("early");
    place.write(&web(&place.token, 3, ""));
    // From before anything is started, over half a rollout, to a cluster that runs.
    for millis in [150, 400, 650, 900, 1600] {
        let up = place.up_with(&["--store", "memory"]);
        let end = Instant::now() + Duration::from_millis(millis);
        while Instant::now() < end {
            no_twin(&place, millis);
        }
        up.crash();
    }
    let mut up = place.up_with(&["--store", "memory"]);
    wait_for("three run", || {
        no_twin(&place, 0);
        (place.processes().len() == 3).then_some(())
    });
    up.hears(&["deployment shop/web is complete"]);
    assert_eq!(place.processes().len(), 3);
    up.stop();
    assert_eq!(place.processes(), BTreeSet::new());
}

/// With three replicas and the `maxSurge` of a rollout unused, more than three are twins.
fn no_twin(place: &Place, millis: u64) {
    let running = place.processes();
    assert!(running.len() <= 3, "{running:?} run at once, in the run that is killed after {millis} ms");
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
