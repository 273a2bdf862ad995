//! k8s-like is killed, stopped and started again over a store that lasts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use crate::harness::{Place, Start, get, wait_for};

/// By what `up` is told which store to use.
pub(crate) type Options<'a> = &'a [&'a str];

#[test]
fn killed_half_way_through_a_rollout_it_takes_over_what_runs_and_completes() {
    half_way(&Place::new("half-way"), &["--store", "embedded"]);
}

pub(crate) fn half_way(place: &Place, store: Options<'_>) {
    place.write(&place.recorded_web(3, "one"));
    let mut up = place.up_with(store);
    up.hears(&["deployment shop/web is complete"]);
    let before = place.starts();
    assert_eq!(before.len(), 3);
    place.write(&place.recorded_web(3, "two"));
    place.wait_for_starts(5);
    up.crash();
    let living = place.processes();
    assert!(living.len() >= 3, "containers survive the agent: {living:?}");

    let mut up = place.up_with(store);
    up.hears(&["pods still run and go on"]);
    up.hears(&["deployment shop/web is complete"]);
    let after = place.wait_for_processes("three run", |pids| pids.len() == 3);
    let starts = place.starts();
    assert_eq!(starts.len(), 6, "three of each version, and none of them twice: {starts:?}");
    ran_once(&starts);
    let new: BTreeSet<i32> = starts[3..].iter().map(|start| start.process).collect();
    assert_eq!(after, new, "the new version runs, in the processes in which it was started");
    let kept: BTreeSet<i32> = living.intersection(&new).copied().collect();
    assert!(!kept.is_empty() && kept.is_subset(&after), "those of it that ran before the crash, {kept:?}, run on");
    up.stop();
    place.assert_nothing_runs();
    assert_eq!(place.starts(), starts);
}

#[test]
fn killed_again_and_again_at_any_moment_no_pod_ever_runs_twice() {
    any_moment(&Place::new("moments"), &["--store", "embedded"]);
}

pub(crate) fn any_moment(place: &Place, store: Options<'_>) {
    for (round, millis) in [120, 900, 350, 1500, 60, 600].into_iter().enumerate() {
        // Each time into the rollout of another version.
        place.write(&place.recorded_web(3, &format!("version {round}")));
        let up = place.up_with(store);
        let end = Instant::now() + Duration::from_millis(millis);
        while Instant::now() < end {
            place.assert_no_twins();
        }
        up.crash();
    }
    place.write(&place.recorded_web(3, "the last version"));
    let mut up = place.up_with(store);
    wait_for("the rollout is complete", || {
        place.assert_no_twins();
        up.has_heard(&["deployment shop/web is complete"]).then_some(())
    });
    let last = place.wait_for_processes("three run", |pids| pids.len() == 3);
    let starts = place.starts();
    ran_once(&starts);
    assert!(last.iter().all(|process| starts.iter().any(|start| start.process == *process)));
    up.stop();
    place.assert_nothing_runs();
}

fn ran_once(starts: &[Start]) {
    let mut by_pod: BTreeMap<&str, usize> = BTreeMap::new();
    for start in starts {
        *by_pod.entry(&start.pod).or_default() += 1;
    }
    assert!(by_pod.values().all(|count| *count == 1), "a pod was started twice: {starts:#?}");
}

#[test]
fn stopped_by_ctrl_c_its_objects_stay_and_the_next_run_starts_their_pods_anew() {
    stopped(&Place::new("stopped"), &["--store", "embedded"]);
}

pub(crate) fn stopped(place: &Place, store: Options<'_>) {
    place.write(&place.recorded_web(2, "one"));
    let mut up = place.up_with(store);
    let address = up.settles();
    up.stop();
    place.assert_nothing_runs();
    let first = place.starts();
    // More than once, so that a wait for a container that ends again and again would be seen.
    for round in 1..=2 {
        let mut up = place.up_with(store);
        assert_eq!(up.settles(), address, "the service keeps its address");
        let starts = place.starts();
        assert_eq!(starts.len(), 2 * (round + 1), "{starts:?}");
        let pods = |starts: &[Start]| starts.iter().map(|start| start.pod.clone()).collect::<BTreeSet<_>>();
        assert_eq!(pods(&starts[2 * round..]), pods(&first), "they are the same pods");
        get(&address).expect("a service with ready endpoints answers");
        up.stop();
        place.assert_nothing_runs();
    }
}

#[test]
fn with_a_node_less_what_ran_on_it_is_replaced_on_the_others_which_go_on() {
    let place = Place::new("node-less");
    place.write(&place.recorded_web(3, "one"));
    let mut up = place.up();
    up.hears(&["deployment shop/web is complete"]);
    let before = place.processes();
    up.crash();
    let mut up = place.up_with(&["--nodes", "2"]);
    up.hears(&["node-3 is no more"]);
    let after = place.wait_for_processes("three run", |pids| pids.len() == 3 && *pids != before);
    assert_eq!(before.intersection(&after).count(), 2, "{before:?} became {after:?}");
    up.hears(&["deployment shop/web is complete"]);
    ran_once(&place.starts());
    up.stop();
    place.assert_nothing_runs();
}

#[test]
fn what_runs_from_a_state_folder_is_not_taken_for_the_pods_of_another_store() {
    let place = Place::new("another");
    place.write(&place.recorded_web(1, "one"));
    let mut up = place.up();
    up.hears(&["deployment shop/web is complete"]);
    let durable = place.processes();
    up.crash();
    // In memory there are no objects that ask for it.
    let mut up = place.up_with(&["--store", "memory"]);
    up.hears(&["stopping 1 pods of an earlier run"]);
    up.hears(&["deployment shop/web is complete"]);
    let in_memory = place.wait_for_processes("one runs", |pids| pids.len() == 1);
    assert!(in_memory.is_disjoint(&durable));
    up.crash();
    // And of what ran for those in memory the durable ones know nothing.
    let mut up = place.up();
    up.hears(&["stopping 1 pods of an earlier run"]);
    up.hears(&["deployment shop/web is complete"]);
    let again = place.wait_for_processes("one runs", |pids| pids.len() == 1);
    assert!(again.is_disjoint(&in_memory));
    let starts = place.starts();
    assert_eq!(starts.iter().map(|start| start.pod == starts[0].pod).collect::<Vec<_>>(), [true, false, true]);
    up.stop();
    place.assert_nothing_runs();
}

#[test]
fn files_of_a_newer_version_or_damaged_ones_are_refused_and_nothing_is_touched() {
    let place = Place::new("files");
    place.write(&place.recorded_web(1, "one"));
    let mut up = place.up();
    up.hears(&["deployment shop/web is complete"]);
    let running = place.processes();
    up.crash();
    let files = fs::read_dir(place.state().join("store")).expect("the store's folder").flatten();
    let mut logs = files.filter(|file| file.file_name().to_string_lossy().starts_with("log-"));
    let log = logs.next().expect("a log").path();
    let good = fs::read(&log).expect("the log");
    let newer = {
        let mut bytes = good.clone();
        bytes[8..12].copy_from_slice(&7_u32.to_le_bytes());
        bytes[12..16].copy_from_slice(&(!7_u32).to_le_bytes());
        bytes
    };
    let mut damaged = good.clone();
    damaged[200] ^= 1;
    for (bytes, said) in [(newer, "has format version 7"), (damaged, "is damaged at byte")] {
        fs::write(&log, bytes).expect("written");
        let mut up = place.up();
        assert_eq!(up.ended(), Some(1));
        up.hears(&["log-", said]);
        up.hears(&["error: nothing was started"]);
        assert_eq!(place.processes(), running, "what runs goes on");
    }
    fs::write(&log, good).expect("written");
    let mut up = place.up();
    up.hears(&["1 pods still run and go on"]);
    up.hears(&["deployment shop/web is complete"]);
    assert_eq!(place.processes(), running);
    up.stop();
    place.assert_nothing_runs();
}

#[test]
fn left_at_once_by_a_second_ctrl_c_its_pods_run_on_and_the_next_run_takes_them_over() {
    let place = Place::new("at-once");
    // The first Ctrl-C asks the server to end, which takes it some time.
    let slow = place.recorded_web(1, "one").replace("hello-web --text", "hello-web --drain 60000 --text");
    let slow = slow.replace("terminationGracePeriodSeconds: 2", "terminationGracePeriodSeconds: 60");
    place.write(&slow);
    let mut up = place.up();
    up.hears(&["deployment shop/web is complete"]);
    let running = place.processes();
    up.signal(Signal::SIGINT);
    up.hears(&["stopping every container"]);
    up.signal(Signal::SIGINT);
    up.hears(&["takes them over"]);
    assert_eq!(up.ended(), Some(130));
    assert_eq!(place.processes(), running);
    let mut up = place.up();
    up.hears(&["1 pods still run and go on"]);
    up.crash();
}
