//! Several frameworks at once.

use std::collections::BTreeMap;
use std::fs;

use mesos_like::wire::TaskState;
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::framework::{Framework, info, task};

const FRAMEWORKS: usize = 5;
const TASKS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn five_frameworks_with_200_small_tasks_each_run_all_none_twice_and_never_use_more_than_there_is() {
    let cluster = Cluster::of("many", 4).await;
    let starts = cluster.folder().join("starts");
    let mut frameworks = JoinSet::new();
    for number in 0..FRAMEWORKS {
        let (masters, starts) = ([cluster.master(1)], starts.clone());
        frameworks.spawn(async move {
            let mut framework = Framework::subscribe(&masters, info(&format!("framework-{number}"))).await;
            let line = |id: &str| format!("echo {id} >> {}", starts.display());
            framework.launch((0..TASKS).map(|task_number| {
                let id = format!("{number}-{task_number}");
                task(&id, &line(&id))
            }));
            for task_number in 0..TASKS {
                framework.until_state(&format!("{number}-{task_number}"), TaskState::Finished).await;
            }
        });
    }
    let mut most = BTreeMap::<&str, f64>::new();
    while !frameworks.is_empty() {
        let snapshot = cluster.get(&cluster.master(1), "/metrics/snapshot").await;
        for name in ["cpus", "mem"] {
            let value = |what: &str| snapshot[format!("master/{name}_{what}")].as_f64().unwrap_or_default();
            assert!(value("used") <= value("total"), "{name}: {} of {}", value("used"), value("total"));
            let so_far = most.entry(name).or_default();
            *so_far = so_far.max(value("used"));
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        while let Some(ended) = frameworks.try_join_next() {
            ended.expect("the framework saw all its tasks finish");
        }
    }
    assert!(most["cpus"] > 0.0, "the use was seen");
    let mut count = BTreeMap::<String, usize>::new();
    for id in fs::read_to_string(starts).expect("tasks ran").lines() {
        *count.entry(id.to_owned()).or_default() += 1;
    }
    assert_eq!(count.len(), FRAMEWORKS * TASKS, "all ran");
    assert!(count.values().all(|times| *times == 1), "none ran twice");
}
