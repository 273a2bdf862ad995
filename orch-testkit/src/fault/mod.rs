//! The fault engine: plays a [`Scenario`] with every single fault of a list at every point where it can happen, in
//! process, without a thread and without a clock, and compares what comes of it with a run without faults.
//!
//! Because a [`Controller`](orch_core::controller::Controller) decides and does not act, the engine can stand in for
//! what runs it: it shows each controller a view of its own, which it can hold back, performs the actions one at a
//! time, and starts a controller anew with empty memory after any of them. A plan of faults costs about a millisecond, so
//! all of them are executed, rather than some at random. See [`Fault`] for the list.
//!
//! A scenario is a closed system: objects, the controllers under test, [actors](Actor) that play the rest of the cluster
//! ([`Kubelet`] for the nodes, [`GarbageCollector`]), and what users do. It is played in turns: a controller looks at its next key after seeing
//! everything; when no controller has a key, the next actor acts; when none does, held-back views are released, then
//! time moves to the next moment that a controller asked to look again, then the user takes the next step. It ends when
//! nothing is left to do.
//!
//! # What is checked
//! - after every write: the scenario's own invariants ([`Scenario::always`]);
//! - in the end: every object equals that of the run without faults, field by field, but for [`MASKED`];
//! - every object was created and removed as often as in that run;
//! - another look at every key, also by a controller just started, gives an empty plan;
//! - the number of writes is bounded;
//! - bystanders were not written to, and what somebody else wrote to an object is still there;
//! - nothing panicked.
//!
//! Names and uids of created objects follow from the state, so they can be compared. Where a fault changes which object
//! is chosen (a clock that jumps changes which pod is older), owned objects are compared by number; where a fault makes
//! an honest controller take a detour (a restart from an old list), creations and removals are not counted. The
//! methods of [`Fault`] say which.
//!
//! ```
//! use orch_testkit::fault::{self, Scenario, System};
//! use orch_testkit::suite;
//!
//! # use std::sync::Arc;
//! # use orch_core::controller::{Context, Controller, ControllerError, Plan, Trigger};
//! # use orch_core::{key::Key, object::Namespace};
//! # #[derive(Debug)] struct Idle;
//! # #[async_trait::async_trait]
//! # impl Controller for Idle {
//! #     fn name(&self) -> &'static str { "idle" }
//! #     fn triggers(&self) -> Vec<Trigger> { vec![Trigger::itself::<Namespace>()] }
//! #     async fn reconcile(&self, _: &Key, _: Context<'_>) -> Result<Plan, ControllerError> { Ok(Plan::nothing()) }
//! # }
//! let scenario = Scenario::new("nothing happens", |_| System::new().controller(|| Arc::new(Idle)));
//! let report = suite::run(fault::explore(&scenario));
//! report.assert_none();
//! assert!(report.plans_executed > 0);
//! ```

mod checks;
mod clock;
mod cluster;
mod garbage;
mod history;
mod kubelet;
mod member;
mod oracle;
mod perform;
mod plan;
mod player;
mod report;
mod scenario;
pub mod stories;

pub use clock::ManualClock;
pub use cluster::{Cluster, TOUCHED};
pub use garbage::GarbageCollector;
pub use kubelet::Kubelet;
use oracle::End;
use orch_core::entropy::{Entropy as _, SeededEntropy};
pub use plan::{Family, Fault};
use player::{Broken, Count, Player};
pub use report::{Oracle, Report, Violation};
pub use scenario::{Actor, Scenario, Step, System};

/// The fields that are not compared, at any depth: revisions and times, which differ between any two runs, and
/// generations, which count the writes on the way.
pub const MASKED: [&str; 14] = [
    "resourceVersion",
    "generation",
    "observedGeneration",
    "creationTimestamp",
    "deletionTimestamp",
    "lastTransitionTime",
    "lastUpdateTime",
    "lastProbeTime",
    "lastHeartbeatTime",
    "startTime",
    "startedAt",
    "finishedAt",
    "renewTime",
    "acquireTime",
];

/// How many violations an exploration collects before it ends.
pub const VIOLATIONS_MAX: usize = 3;

/// How many pairs of faults are tried in a scenario.
const PAIRS: usize = 200;

/// Plays the scenario with every fault of every family.
pub async fn explore(scenario: &Scenario) -> Report {
    explore_families(scenario, &Family::ALL).await
}

/// Plays the scenario with every fault of some families, one after the other.
pub async fn explore_families(scenario: &Scenario, families: &[Family]) -> Report {
    let mut report = Report { scenario: scenario.name, ..Report::default() };
    let (player, result) = Player::play(scenario, &[], Count::UNKNOWN, false).await;
    let count = player.count;
    (report.actions, report.reconciles) = (count.actions, count.reconciles);
    report.unpaired.clone_from(&scenario.unpaired);
    report.controllers = player.members.iter().map(|member| member.controller.name()).collect();
    if let Err(broken) = result {
        report.violations.push(explain(scenario, &[], Count::UNKNOWN, broken).await);
        return report;
    }
    let expected = End::of(&player);
    for plan in plans(scenario, families, count) {
        report.plans_executed += 1;
        let limit = count.with_faults();
        if let Err(broken) = execute(scenario, &plan, limit, &expected).await {
            report.violations.push(explain(scenario, &plan, limit, broken).await);
            if report.violations.len() == VIOLATIONS_MAX {
                break;
            }
        }
    }
    report
}

async fn execute(scenario: &Scenario, plan: &[Fault], limit: Count, expected: &End) -> Result<(), Broken> {
    let (player, result) = Player::play(scenario, plan, limit, false).await;
    result?;
    if plan.iter().all(|fault| fault.is_comparable()) { End::of(&player).compare(expected, plan) } else { Ok(()) }
}

/// Plays a plan again to tell what happened: a run follows from scenario and plan alone.
async fn explain(scenario: &Scenario, plan: &[Fault], limit: Count, broken: Broken) -> Violation {
    let (player, _) = Player::play(scenario, plan, limit, true).await;
    Violation {
        scenario: scenario.name,
        faults: plan.to_vec(),
        oracle: broken.oracle,
        message: broken.message,
        trace: player.trace.unwrap_or_default(),
    }
}

fn plans(scenario: &Scenario, families: &[Family], count: Count) -> Vec<Vec<Fault>> {
    let mut plans: Vec<Vec<Fault>> =
        families.iter().flat_map(|family| family.faults(count)).map(|fault| vec![fault]).collect();
    if families.contains(&Family::Pairs) {
        // What a controller that starts from an old list reports was right then. Together with a second fault no
        // invariant can be asked for that others keep by believing such reports. The last two are no faults.
        let paired =
            Family::ALL.iter().filter(|family| !matches!(family, Family::Lag | Family::AskedAgain | Family::Invalid));
        let paired = paired.filter(|family| scenario.unpaired.iter().all(|(unpaired, _)| unpaired != *family));
        let single: Vec<Fault> = paired.flat_map(|family| family.faults(count)).collect();
        let chance = SeededEntropy::new(7);
        let any = || usize::try_from(chance.next_u64() >> 1).unwrap_or(0) % single.len().max(1);
        for _ in 0..if single.is_empty() { 0 } else { PAIRS } {
            plans.push(vec![single[any()], single[any()]]);
        }
    }
    plans
}
