//! npm's mesos-framework, on Node.

use crate::Scenario;
use crate::cluster::{Cluster, is_alive};
use crate::library::{Library, block_on};

pub(crate) const SCENARIOS: &[Scenario] = &[("launches_reconciles_and_kills", launches)];

fn launches(library: &Library) {
    let cluster = block_on(Cluster::of("node", 1));
    let master = cluster.master(1);
    let (host, port) = master.split_once(':').expect("host and port");
    let said = library.run("mesos_framework.js", &[host, port]);
    assert_eq!(said.all("error").count(), 0, "{said:?}");
    let task = said.event("update")["task"].as_str().expect("a task").to_owned();
    let states = said.states(&task);
    assert!(states.iter().filter(|state| **state == "TASK_RUNNING").count() >= 2, "it was asked: {states:?}");
    assert_eq!(states.last(), Some(&"TASK_KILLED"));
    assert!(!is_alive(said.pid(&task)));
}
