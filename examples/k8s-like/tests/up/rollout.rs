//! What a change of the manifest does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{Place, get, wait_for, web};

#[test]
fn changing_replicas_scales() {
    let place = Place::new("scales");
    place.write(&web(&place.token, 1, ""));
    let mut up = place.up();
    up.hears(&["deployment shop/web is complete"]);
    let first = place.wait_for_processes("one runs", |pids| pids.len() == 1);
    place.write(&web(&place.token, 4, ""));
    let four = place.wait_for_processes("four run", |pids| pids.len() == 4);
    assert!(first.is_subset(&four), "the one that ran goes on");
    up.hears(&["deployment shop/web is complete"]);
    place.write(&web(&place.token, 2, ""));
    place.wait_for_processes("two run", |pids| pids.len() == 2);
    up.stop();
}

#[test]
fn changing_the_command_rolls_without_a_failed_request() {
    let place = Place::new("rolls");
    place.write(&web(&place.token, 3, ""));
    let mut up = place.up();
    let address = up.settles();
    let before = place.processes();

    let stop = Arc::new(AtomicBool::new(false));
    let client = std::thread::spawn({
        let (stop, address) = (Arc::clone(&stop), address.clone());
        move || {
            let mut failed = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                failed.extend(get(&address).err());
            }
            failed
        }
    });
    place.write(&web(&place.token, 3, ", --port, \"8080\""));
    let mut fewest = usize::MAX;
    wait_for("all three are new", || {
        let now = place.processes();
        fewest = fewest.min(now.len());
        (now.len() == 3 && now.is_disjoint(&before)).then_some(())
    });
    assert!(fewest >= 3, "maxUnavailable is 0, and {fewest} ran at one moment");
    up.hears(&["deployment shop/web is complete"]);
    stop.store(true, Ordering::Relaxed);
    let failed = client.join().expect("the client does not panic");
    assert!(failed.is_empty(), "{} requests failed: {failed:?}", failed.len());
    up.stop();
}

#[test]
fn a_broken_version_stalls_says_so_and_leaves_the_old_one_running() {
    let place = Place::new("stalls");
    place.write(&web(&place.token, 2, ""));
    let mut up = place.up();
    let address = up.settles();
    let before = place.wait_for_processes("two run", |pids| pids.len() == 2);
    place.write(&web(&place.token, 2, ", --unhealthy"));
    up.hears(&["deployment shop/web is STALLED"]);
    let now = place.processes();
    assert!(before.is_subset(&now), "the old version runs on: {before:?}, now {now:?};\n{}", up.heard.join("\n"));
    let answers: BTreeSet<String> = (0..6).map(|_| get(&address).expect("the old version answers")).collect();
    assert_eq!(answers.len(), 2, "only ready pods answer: {answers:?}");
    // Mended, it goes on.
    place.write(&web(&place.token, 2, ""));
    up.hears(&["deployment shop/web is complete"]);
    place.wait_for_processes("the two old ones alone are left", |pids| *pids == before);
    up.stop();
}

#[test]
fn an_object_taken_out_of_the_manifest_is_deleted() {
    let place = Place::new("removed");
    let text = web(&place.token, 2, "");
    place.write(&text);
    let mut up = place.up();
    up.hears(&["deployment shop/web is complete"]);
    let documents: Vec<&str> = text.split("---\n").collect();
    place.write(&[documents[0], documents[2]].join("---\n"));
    up.hears(&["deployments.apps/shop/web deleted"]);
    place.wait_for_processes("none runs", BTreeSet::is_empty);
    place.write(documents[0]);
    up.hears(&["services/shop/web deleted"]);
    up.stop();
}
