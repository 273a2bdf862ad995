//! pymesos: a scheduler, an executor of its own, an operator.

use std::io::{BufRead as _, BufReader};

use crate::Scenario;
use crate::cluster::{Cluster, is_alive};
use crate::library::{Library, Said, block_on};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("launches_kills_and_takes_over_its_tasks_under_its_id", takes_over),
    ("runs_a_task_by_an_executor_of_its_own_with_messages_both_ways", own_executor),
    ("asks_and_watches_as_an_operator", watches),
];

fn takes_over(library: &Library) {
    let cluster = block_on(Cluster::of("pymesos", 2));
    let master = cluster.master(1);
    let first = library.run("pymesos_scheduler.py", &[&master, "launch"]);
    let id = first.event("registered")["framework_id"].as_str().expect("an id");
    assert_eq!(first.states("killed").last(), Some(&"TASK_KILLED"), "{first:?}");
    assert!(!is_alive(first.pid("killed")), "what was killed is no process any more");
    let kept = first.pid("kept");
    assert!(is_alive(kept), "a task that runs is a process, and outlives its framework");
    let second = library.run("pymesos_scheduler.py", &[&master, "takeover", id]);
    assert_eq!(second.event("reregistered")["framework_id"], id);
    let states = second.states("kept");
    assert!(states.iter().filter(|state| **state == "TASK_RUNNING").count() >= 2, "explicit and implicit: {states:?}");
    assert_eq!(states.last(), Some(&"TASK_KILLED"));
    assert!(!is_alive(kept));
}

fn own_executor(library: &Library) {
    let cluster = block_on(Cluster::of("custom", 1));
    let said = library.run("pymesos_custom.py", &[&cluster.master(1)]);
    let updates: Vec<_> =
        said.all("update").map(|update| (update["state"].as_str(), update["data"].as_str())).collect();
    assert!(updates.contains(&(Some("TASK_RUNNING"), Some("for the executor"))), "{updates:?}");
    assert!(updates.contains(&(Some("TASK_FINISHED"), Some("over"))), "{updates:?}");
    assert_eq!(said.event("message")["data"], "pong to ping");
}

fn watches(library: &Library) {
    let cluster = block_on(Cluster::of("operator", 1));
    let master = cluster.master(1);
    let mut watching = library.command("pymesos_operator.py", &[&master]).spawn().expect("it starts");
    let mut lines = BufReader::new(watching.stdout.take().expect("it is piped")).lines();
    let mut said = Vec::new();
    for line in lines.by_ref() {
        let line = line.expect("a line");
        said.push(line.clone());
        if line.contains("\"watching\"") {
            break;
        }
    }
    let framework = library.run("pymesos_scheduler.py", &[&master, "launch"]);
    assert_eq!(framework.states("killed").last(), Some(&"TASK_KILLED"));
    said.extend(lines.map_while(Result::ok));
    assert!(watching.wait().expect("it ends").success(), "{said:?}");
    let said = Said::of(said.join("\n").as_bytes());
    assert_eq!(said.event("health")["healthy"], true);
    assert_eq!(said.event("version")["version"], "1.11.0");
    assert_eq!(said.event("agents")["count"], 1);
    for event in ["frameworks", "tasks"] {
        assert_eq!(said.event(event)["known"], true);
    }
    for event in ["framework_added", "task_added", "task_updated", "done"] {
        said.event(event);
    }
}
