//! Many tasks at the same time.

use std::time::Duration;

use mesos_like::wire::{ExecutorType, TaskState};
use tokio::time::Instant;

use crate::place::{Executor, Place, script};

#[tokio::test]
async fn a_group_of_many_tasks_runs_and_every_end_is_told() {
    const TASKS: usize = 40;
    let place = Place::new();
    let containers = place.open().await;
    let begun = Instant::now();
    let mut executor = Executor::start(&containers, &place, ExecutorType::Default);
    executor.launch_group((0..TASKS).map(|number| script(&format!("t{number}"), "echo done")).collect()).await;
    let mut finished = 0;
    while finished < TASKS {
        let status = executor.status().await;
        assert!(!matches!(status.state(), TaskState::Failed | TaskState::Killed), "{:?}", status.message);
        finished += usize::from(status.state() == TaskState::Finished);
    }
    executor.ends().await;
    eprintln!("{TASKS} tasks took {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(60));
    for number in 0..TASKS {
        assert_eq!(place.written(&format!("tasks/t{number}/stdout")), "done\n");
    }
    containers.close().await;
}
