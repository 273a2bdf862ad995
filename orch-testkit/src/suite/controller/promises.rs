//! C1 to C7, each by the families of faults that could break it.

use crate::fault::{Family, Scenario, explore_families};

/// C1: the end is the same in whatever order, how often and how much at a time changes are shown.
pub async fn the_plan_follows_from_the_state_alone(scenarios: Vec<Scenario>) {
    survive(scenarios, &[Family::Order]).await;
}

/// C2: what a plan did is not done again once it is seen, and after a few steps the same key gives an empty plan.
pub async fn what_was_done_is_not_done_again(scenarios: Vec<Scenario>) {
    survive(scenarios, &[Family::AskedAgain]).await;
}

/// C3: stopped after any action, or told that it failed, and started anew, it makes and deletes nothing twice.
pub async fn a_crash_after_any_action_changes_nothing_in_the_end(scenarios: Vec<Scenario>) {
    survive(scenarios, &[Family::Crash, Family::Error, Family::Twice]).await;
}

/// C4: whatever earlier state it is shown, and however late its actions come, the end is the same.
pub async fn an_old_view_does_no_harm(scenarios: Vec<Scenario>) {
    survive(scenarios, &[Family::Stale, Family::Lag, Family::Late]).await;
}

/// C5: it writes to nothing that it does not manage, and takes back nothing that others wrote.
pub async fn what_others_wrote_stays(scenarios: Vec<Scenario>) {
    survive(scenarios, &[Family::Conflict]).await;
}

/// C6: it comes to rest whatever the clock does, and then a second look, also of one just started, gives nothing.
pub async fn it_comes_to_rest(scenarios: Vec<Scenario>) {
    survive(scenarios, &[Family::Clock, Family::Pairs]).await;
}

/// C7: an invalid object, or none at all, makes it neither panic nor change anything else.
pub async fn what_it_cannot_improve_it_leaves_alone(scenarios: Vec<Scenario>) {
    survive(scenarios, &[Family::Invalid]).await;
}

/// Plays the scenarios with every fault of the families, and prints how many plans of faults that were, for
/// `cargo test -- --nocapture` to show and `cargo xtask clauses` to add up.
async fn survive(scenarios: Vec<Scenario>, families: &[Family]) {
    let mut controllers = String::new();
    let mut plans = 0;
    for scenario in &scenarios {
        let report = explore_families(scenario, families).await;
        report.assert_none();
        plans += report.plans_executed;
        if families.contains(&Family::Pairs) {
            for (family, why) in &report.unpaired {
                println!("fault plans left out of {}: pairs with {family:?}: {why}", report.scenario);
            }
        }
        controllers = report.controllers.join(" + ");
    }
    assert!(
        plans > 0,
        "the scenarios of {controllers} give no occasion for any of {families:?}: a controller has to act in one, and an \
         object that breaks the rules of its kind has to be named by Scenario::invalid"
    );
    println!("fault plans: {controllers}: {plans} over {} scenarios", scenarios.len());
}
