//! npm's mesos-framework, on Node.

use crate::Scenario;
use crate::cluster::{Cluster, is_alive};
use crate::library::{Library, block_on};

pub(crate) const SCENARIOS: &[Scenario] = &[("launches_again_what_failed_and_reconciles_and_kills", launches)];

fn launches(library: &Library) {
    let cluster = block_on(Cluster::of("node", 1));
    let master = cluster.master(1);
    let (host, port) = master.split_once(':').expect("host and port");
    let said = library.run("mesos_framework.js", &[host, port]);
    assert_eq!(said.all("error").count(), 0, "{said:?}");
    let mut tasks: Vec<_> = said.all("update").filter_map(|update| update["task"].as_str()).collect();
    tasks.dedup();
    let [first, second] = tasks[..] else { panic!("it launches what failed once more: {said:?}") };
    assert_eq!(said.states(first).last(), Some(&"TASK_FAILED"));
    let states = said.states(second);
    assert!(states.iter().filter(|state| **state == "TASK_RUNNING").count() >= 2, "it was asked: {states:?}");
    assert_eq!(states.last(), Some(&"TASK_KILLED"));
    assert!(!is_alive(said.pid(second)));
}
