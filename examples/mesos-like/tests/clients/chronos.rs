//! chronos-python, against a Chronos of this project.

use std::fs;

use crate::Scenario;
use crate::cluster::{Cluster, eventually};
use crate::library::{Library, block_on};

pub(crate) const SCENARIOS: &[Scenario] =
    &[("adds_runs_measures_kills_and_deletes_jobs_and_is_told_what_is_refused", all_of_it)];

fn all_of_it(library: &Library) {
    let mut cluster = block_on(Cluster::of("chronos", 1));
    let (address, nobody) = (cluster.address(201), cluster.address(202));
    let (ip, master) = (format!("--ip={address}"), format!("--master={}", cluster.master(1)));
    cluster.start("chronos-1", &["chronos", &ip, &master, "--http_port=4400"]);
    let chronos = format!("{address}:4400");
    block_on(eventually("chronos", async || cluster.get(&chronos, "/leader").await["leader"].as_str().map(drop)));
    let file = cluster.folder().join("ran");
    // A server that is not there comes first: the library tries the next one.
    let said = library.run("chronos_jobs.py", &[&format!("{nobody}:4400,{chronos}"), &file.display().to_string()]);
    let empty = said.event("empty");
    assert!(empty["jobs"].as_array().is_some_and(Vec::is_empty) && empty["graph"].is_null(), "{empty}");
    for done in ["added", "ran", "killed", "deleted"] {
        assert!(said.event(done)["answer"].is_null(), "{done}: {said:?}");
    }
    let parent = said.event("parent");
    assert_eq!((&parent["disabled"], &parent["epsilon"]), (&true.into(), &"PT15M".into()), "{parent}");
    assert!(parent["schedule"].as_str().is_some_and(|schedule| schedule.starts_with("R0/")), "{parent}");
    assert_eq!(said.event("child")["parents"][0], "parent");
    assert_eq!(said.event("jobs")["names"].as_array().map(Vec::len), Some(4), "{said:?}");
    assert_eq!(said.event("search")["names"][0], "parent");
    assert_eq!(said.event("search")["commands"][0], "sleeper");
    let stat = said.event("stat");
    assert!(stat["histogram"]["count"] == 3 && stat["taskStatHistory"][0]["status"] == "Success", "{stat}");
    let graph = said.event("graph")["text"].as_str().unwrap_or_default();
    for line in
        ["node,parent,success,idle", "node,boxed,fresh,idle", "node,sleeper,fresh,1 running", "link,parent,child"]
    {
        assert!(graph.lines().any(|found| found == line), "{line}: {graph}");
    }
    let measures: Vec<_> = said.all("measure").collect();
    assert!(
        measures.len() == 6 && measures.iter().all(|measure| measure["jobs"][0]["time"].is_number()),
        "{measures:?}"
    );
    assert!(said.event("metrics")["keys"].as_array().is_some_and(|keys| keys.contains(&"counters".into())));
    assert_eq!(said.event("before")["sleeper"][0], "Running");
    let messages: Vec<&str> = said.all("logged").filter_map(|logged| logged["message"].as_str()).collect();
    for part in
        ["cron expression", "no job 'nobody'", "parent after child after parent", "name is invalid", "not found"]
    {
        assert!(messages.iter().any(|message| message.contains(part)), "{part}: {messages:?}");
    }
    assert_eq!((said.all("refused").count(), said.all("invalid").count()), (5, 2), "{said:?}");
    let heir = said.event("heir");
    assert!(heir["schedule"] == "R/2040-01-01T00:00:00.000Z/P1D" && heir.get("parents").is_none(), "{heir}");
    assert_eq!(said.event("left")["names"], serde_json::json!(["boxed", "child"]));
    let ran = fs::read_to_string(&file).expect("what ran");
    let count = |name: &str| ran.lines().filter(|line| *line == format!("{name} 0")).count();
    assert_eq!((count("parent"), count("child"), ran.lines().count()), (3, 3, 6), "{ran}");
}
