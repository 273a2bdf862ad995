//! mesoshttp, and avmesos, which is nearly the same under another name.

use std::io::{BufRead as _, BufReader};

use nix::sys::signal::Signal;
use orch_testkit::daemon::Etcd;

use crate::Scenario;
use crate::cluster::{Cluster, is_alive};
use crate::library::{Library, Said, block_on};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("launches_kills_and_takes_over_its_tasks_under_its_id", takes_over),
    ("goes_on_with_its_tasks_at_the_next_master_when_its_own_is_killed", follows),
];

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

fn follows(library: &Library) {
    let (etcd, mut cluster) = (block_on(Etcd::start()), Cluster::new(library.name));
    let store = format!("--store=etcd://{}", etcd.endpoints()[0].trim_start_matches("http://"));
    cluster.start_master(1, &[&store]);
    cluster.start_agent(1, &[&format!("--master={},{}", cluster.master(1), cluster.master(2))]);
    block_on(cluster.wait_for_agents(1));
    // The first one leads by now.
    cluster.start_master(2, &[&store]);
    let masters = format!("http://{},http://{}", cluster.master(1), cluster.master(2));
    let mut following = library.command("mesoshttp_scheduler.py", &[library.name, &masters, "follow"]);
    let mut following = following.spawn().expect("it starts");
    let mut lines = BufReader::new(following.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let mut said: Vec<String> = Vec::new();
    while !said.last().is_some_and(|line| line.contains("TASK_RUNNING")) {
        said.push(lines.next().unwrap_or_else(|| panic!("its task runs: {said:?}")));
    }
    let kept = Said::of(said.join("\n").as_bytes()).pid("kept");
    cluster.signal("master-1", Signal::SIGKILL);
    said.extend(lines);
    assert!(following.wait().expect("it ends").success(), "{said:?}");
    let said = Said::of(said.join("\n").as_bytes());
    let ids: Vec<_> = said.all("registered").map(|event| &event["framework_id"]).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "it is the same framework: {said:?}");
    assert_eq!(said.pid("kept"), kept);
    assert!(!said.states("kept").contains(&"TASK_LOST"), "{said:?}");
    assert_eq!(said.states("kept").last(), Some(&"TASK_KILLED"));
    assert!(!is_alive(kept));
}
