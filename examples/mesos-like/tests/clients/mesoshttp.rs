//! mesoshttp, and avmesos, which is the same under another name.

use crate::Scenario;
use crate::cluster::{Cluster, is_alive};
use crate::library::{Library, block_on};

pub(crate) const SCENARIOS: &[Scenario] = &[("launches_kills_and_takes_over_its_tasks_under_its_id", takes_over)];

fn takes_over(library: &Library) {
    let cluster = block_on(Cluster::of(library.name, 2));
    let master = format!("http://{}", cluster.master(1));
    // A master that is not there comes first: the library tries the next one.
    let masters = format!("http://{},{master}", cluster.master(9));
    let first = library.run("mesoshttp_scheduler.py", &[library.name, &masters, "launch"]);
    let id = first.event("registered")["framework_id"].as_str().expect("an id");
    assert_eq!(first.states("killed").last(), Some(&"TASK_KILLED"), "{first:?}");
    let kept = first.pid("kept");
    assert!(is_alive(kept), "a task that runs is a process, and outlives its framework");
    let second = library.run("mesoshttp_scheduler.py", &[library.name, &master, "takeover", id]);
    assert_eq!(second.event("registered")["framework_id"], id);
    assert_eq!(second.states("kept").last(), Some(&"TASK_KILLED"), "{second:?}");
    assert!(!is_alive(kept));
}
