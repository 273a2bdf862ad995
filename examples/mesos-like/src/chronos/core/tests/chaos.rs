//! Properties: whatever happens in whatever order, and whenever the process is killed.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::world::{Bug, Crash, Launch, World};
use crate::wire::TaskState;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Put { job: usize, parents: u8, times: u8, period: u8, flags: u8, crash: Crash },
    Remove(usize, Crash),
    RunNow(usize, Crash),
    Kill(usize, Crash),
    Mark(usize, Crash),
    Tick(u32, Crash),
    Offer(usize, Launch, Crash),
    Progress(usize, TaskState),
    Deliver(usize, Crash),
    Repeat(usize),
    Away(usize),
    Restart,
    Subscribe,
}

fn crash() -> impl Strategy<Value = Crash> {
    prop_oneof![
        8 => Just(Crash::Never),
        1 => Just(Crash::BeforeWriting),
        1 => Just(Crash::BeforeActing),
        1 => Just(Crash::BeforeAcknowledging),
    ]
}

/// What happens by itself.
fn event() -> BoxedStrategy<Step> {
    let fate = prop_oneof![6 => Just(Launch::Arrives), 1 => Just(Launch::IsLost), 1 => Just(Launch::IsInvalid)];
    let to = prop_oneof![
        4 => Just(TaskState::Running),
        4 => Just(TaskState::Finished),
        3 => Just(TaskState::Failed),
        1 => Just(TaskState::Killed),
        1 => Just(TaskState::Lost),
        1 => Just(TaskState::Gone),
    ];
    prop_oneof![
        6 => (0..8_u32, crash()).prop_map(|(seconds, crash)| Step::Tick(seconds, crash)),
        8 => (1..4_usize, fate, crash()).prop_map(|(most, fate, crash)| Step::Offer(most, fate, crash)),
        8 => (0..8_usize, to).prop_map(|(which, to)| Step::Progress(which, to)),
        10 => (0..8_usize, crash()).prop_map(|(which, crash)| Step::Deliver(which, crash)),
        3 => (0..40_usize).prop_map(Step::Repeat),
        1 => Just(Step::Restart),
        2 => Just(Step::Subscribe),
    ]
    .boxed()
}

/// Agents go away, and some for longer than they are waited for.
fn absence() -> BoxedStrategy<Step> {
    prop_oneof![
        2 => (0..8_usize).prop_map(Step::Away),
        1 => crash().prop_map(|crash| Step::Tick(120, crash)),
    ]
    .boxed()
}

/// What people ask for.
fn wish() -> BoxedStrategy<Step> {
    let job = 0..NAMES.len();
    prop_oneof![
        4 => (job.clone(), 0..16_u8, 0..4_u8, 1..9_u8, any::<u8>(), crash()).prop_map(
            |(job, parents, times, period, flags, crash)| Step::Put { job, parents, times, period, flags, crash }
        ),
        1 => (job.clone(), crash()).prop_map(|(job, crash)| Step::Remove(job, crash)),
        2 => (job.clone(), crash()).prop_map(|(job, crash)| Step::RunNow(job, crash)),
        1 => (job.clone(), crash()).prop_map(|(job, crash)| Step::Kill(job, crash)),
        1 => (job, crash()).prop_map(|(job, crash)| Step::Mark(job, crash)),
    ]
    .boxed()
}

fn follow(world: &mut World, step: &Step) {
    world.pass(1);
    // What is refused changes nothing.
    let refused = match step.clone() {
        Step::Put { job, parents, times, period, flags, crash } => {
            let mut wanted = json!({
                "name": NAMES[job], "command": "true", "retries": flags & 3, "concurrent": flags & 4 > 0,
                "softError": flags & 8 > 0, "disabled": flags & 0x70 == 0,
            });
            let parents: Vec<&str> =
                (0..4).filter(|bit| parents & (1 << bit) > 0 && flags & 0x80 > 0).map(|bit| NAMES[bit]).collect();
            if parents.is_empty() {
                wanted["schedule"] = format!("R{times}//PT{period}S").into();
            } else {
                wanted["parents"] = parents.into();
            }
            world.put(&wanted, crash)
        }
        Step::Remove(job, crash) => world.ask(crash, |core, _| core.remove(NAMES[job])),
        Step::RunNow(job, crash) => world.ask(crash, |core, now| core.run_now(NAMES[job], None, now)),
        Step::Kill(job, crash) => world.ask(crash, |core, _| core.kill_tasks(NAMES[job])),
        Step::Mark(job, crash) => world.ask(crash, |core, now| core.mark_success(NAMES[job], now)),
        _ => Ok(()),
    };
    match step.clone() {
        Step::Tick(seconds, crash) => world.tick(seconds, crash),
        Step::Offer(most, fate, crash) => world.offer(most, fate, crash),
        Step::Progress(which, to) => world.progress(which, to),
        Step::Deliver(which, crash) => drop(world.deliver(which, crash)),
        Step::Repeat(which) => world.repeat(which),
        Step::Away(which) => world.away(which),
        Step::Restart => drop(world.restart()),
        Step::Subscribe => world.subscribe(),
        _ => drop(refused),
    }
}

/// People change jobs, run, kill and remove them, while all goes wrong that can: in the end all tasks are over, and nobody
/// was run twice.
fn anything(steps: &[Step], bug: Option<Bug>) {
    let mut world = World::new(bug);
    for step in steps {
        follow(&mut world, step);
    }
    world.come_back();
    world.subscribe();
    world.expect_no_stray();
    world.settle();
}

/// Jobs are added once, and then all goes wrong that can: each has exactly the runs that it should have.
fn exactly(times: [u8; 2], concurrent: [bool; 4], retries: u8, steps: &[Step], bug: Option<Bug>) {
    let mut world = World::new(bug);
    for (job, name) in NAMES.into_iter().enumerate() {
        let mut wanted = json!({ "name": name, "command": "true", "retries": retries, "concurrent": concurrent[job] });
        match job {
            0 | 1 => wanted["schedule"] = format!("R{}//PT{}S", times[job], 3 + job).into(),
            2 => wanted["parents"] = json!(["a"]),
            _ => wanted["parents"] = json!(["a", "b", "c"]),
        }
        world.put(&wanted, Crash::Never).expect("it can be");
    }
    for step in steps {
        follow(&mut world, step);
        for (child, parents) in [("c", &["a"][..]), ("d", &["a", "b", "c"])] {
            let least = parents.iter().map(|parent| world.successes(parent)).min().unwrap_or(0);
            assert!(world.slots(child).len() <= least, "{child} ran before all its parents have succeeded anew");
        }
    }
    world.come_back();
    world.subscribe();
    world.expect_no_stray();
    world.settle();
    for (name, times) in [("a", times[0]), ("b", times[1])] {
        assert_eq!(world.slots(name).len(), usize::from(times), "{name} runs as often as it should");
    }
    assert_eq!(world.slots("c").len(), world.successes("a"), "c runs once for each success of a");
    let least = ["a", "b", "c"].map(|parent| world.successes(parent)).into_iter().min().unwrap_or(0);
    assert_eq!(world.slots("d").len(), least, "d runs as often as all its parents have succeeded");
}

/// Random runs of both; the first that goes wrong.
fn look_for(cases: u32, bug: Option<Bug>) -> Result<(), String> {
    let config = || Config { cases, failure_persistence: None, ..Config::default() };
    let wishes = prop::collection::vec(prop_oneof![4 => wish(), 12 => event(), 1 => absence()], 1..120);
    let found = TestRunner::new(config()).run(&wishes, |steps| {
        anything(&steps, bug);
        Ok(())
    });
    found.map_err(|error| error.to_string())?;
    let times = [0..4_u8, 0..4_u8];
    let once = (times, prop::array::uniform4(any::<bool>()), 0..3_u8, prop::collection::vec(event(), 1..120));
    let found = TestRunner::new(config()).run(&once, |(times, concurrent, retries, steps)| {
        exactly(times, concurrent, retries, &steps, bug);
        Ok(())
    });
    found.map_err(|error| error.to_string())
}

#[test]
fn whatever_happens_no_run_is_left_out_or_repeated_and_children_wait_for_all_their_parents() {
    if let Err(found) = look_for(400, None) {
        panic!("{found}");
    }
}

#[test]
fn bugs_that_are_put_in_on_purpose_are_found() {
    for (bug, part) in [
        (Bug::ActsFirst, "is used twice"),
        (Bug::AcknowledgesFirst, "runs again what"),
        (Bug::DoesNotAsk, "does not come to an end"),
        (Bug::GivesUpAtOnce, "begins while"),
        (Bug::LetsBe, "nobody knows of"),
    ] {
        let found = look_for(2_000, Some(bug)).expect_err("it is found");
        assert!(found.contains(part), "{bug:?}: {found}");
    }
}
