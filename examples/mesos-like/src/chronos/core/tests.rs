//! The core against what people ask for and what masters say.

mod chaos;
mod world;

use serde_json::{Value, json};

use crate::wire::TaskState;
use world::{Crash, Launch, World};

fn world(jobs: &[Value]) -> World {
    let mut world = World::new(None);
    for job in jobs {
        let mut job = job.clone();
        job["command"] = "true".into();
        world.put(&job, Crash::Never).expect("it can be");
    }
    world
}

fn launch(world: &mut World) {
    world.offer(usize::MAX, Launch::Arrives, Crash::Never);
}

fn end(world: &mut World, state: TaskState) {
    for _ in world.running() {
        world.progress(0, state);
    }
    while world.deliver(0, Crash::Never) {}
}

#[test]
fn a_run_that_fails_is_tried_again_under_its_slot_as_often_as_it_may() {
    let mut world = world(&[json!({ "name": "a", "schedule": "R1//PT1H", "retries": 1 })]);
    launch(&mut world);
    end(&mut world, TaskState::Failed);
    launch(&mut world);
    assert_eq!(world.tasks.len(), 1, "not before a while has passed");
    world.tick(2, Crash::Never);
    launch(&mut world);
    assert_eq!((world.tasks.len(), world.slots("a").len()), (2, 1));
    end(&mut world, TaskState::Failed);
    let job = world.core.job("a").expect("it is there");
    assert_eq!((job.counts.errors, job.runs.len(), job.definition.disabled), (1, 0, false));
    assert_eq!(job.history.len(), 2);
}

#[test]
fn a_launch_that_never_arrived_is_made_again_and_is_no_failure() {
    let mut world = world(&[json!({ "name": "a", "schedule": "R1//PT1H", "retries": 0 })]);
    world.offer(1, Launch::IsLost, Crash::Never);
    world.subscribe();
    launch(&mut world);
    assert_eq!(world.tasks.keys().next().map(|id| id.ends_with(":1:a:")), Some(true), "{:?}", world.tasks);
    end(&mut world, TaskState::Finished);
    let job = world.core.job("a").expect("it is there");
    assert_eq!((job.counts.successes, job.counts.errors, job.definition.disabled), (1, 0, true));
}

#[test]
fn a_task_whose_agent_is_away_is_waited_for_and_given_up_in_the_end() {
    let mut world = world(&[json!({ "name": "a", "schedule": "R1//PT1H" })]);
    launch(&mut world);
    world.progress(0, TaskState::Running);
    while world.deliver(0, Crash::Never) {}
    world.away(0);
    world.tick(90, Crash::Never);
    launch(&mut world);
    assert_eq!(world.tasks.len(), 1, "it may run there");
    world.tick(20, Crash::Never);
    world.tick(2, Crash::Never);
    launch(&mut world);
    assert_eq!(world.tasks.len(), 2, "it has been given up");
    // It comes back, and is ended.
    world.away(0);
    world.expect_no_stray();
}

#[test]
fn a_job_that_is_removed_and_added_again_does_not_run_while_its_old_task_does() {
    let job = json!({ "name": "a", "schedule": "R1/2026-11-28T11:59:59Z/PT1H" });
    let mut world = world(std::slice::from_ref(&job));
    launch(&mut world);
    world.progress(0, TaskState::Running);
    while world.deliver(0, Crash::Never) {}
    let old = world.running();
    world.ask(Crash::Never, |core, _| core.remove("a")).expect("it is there");
    assert!(world.core.job("a").is_err());
    let mut again = job;
    again["command"] = "true".into();
    world.put(&again, Crash::Never).expect("it can be");
    launch(&mut world);
    assert_eq!(world.tasks.keys().cloned().collect::<Vec<_>>(), old, "the old one has not ended for all that is known");
    world.settle();
    assert_eq!(world.successes("a"), 1);
}

#[test]
fn what_is_disabled_passes_by() {
    let mut world = world(&[
        json!({ "name": "a", "schedule": "R//PT5S", "epsilon": "PT1S" }),
        json!({ "name": "b", "parents": ["a"], "disabled": true }),
    ]);
    launch(&mut world);
    end(&mut world, TaskState::Finished);
    let mut enabled = json!({ "name": "b", "parents": ["a"], "command": "true" });
    world.put(&enabled, Crash::Never).expect("it can be");
    launch(&mut world);
    assert!(world.slots("b").is_empty(), "what its parent did meanwhile does not count");
    enabled["name"] = "a".into();
    assert!(world.put(&enabled, Crash::Never).is_err_and(|refused| refused.0.contains("depend on itself")));
    world.tick(8, Crash::Never);
    assert_eq!(world.core.waiting(world.now).len(), 0, "its slot was too long ago");
    world.tick(2, Crash::Never);
    assert_eq!(world.core.waiting(world.now).len(), 1);
}
