//! The suite of [`Controller`](orch_core::controller::Controller).
//!
//! The subject is a list of [scenarios](crate::fault::Scenario) with the controllers in them: the fault engine plays
//! each with every fault that bears on a clause. [`stories`](crate::fault::stories) has some for common kinds.

pub mod promises;

use super::Clause;
use crate::fault::Scenario;

/// Lists the clauses of the suite.
#[doc(hidden)]
#[macro_export]
macro_rules! controller_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::controller as clauses; [$($args)*]
            C1 promises::the_plan_follows_from_the_state_alone
                "The end is the same in whatever order, how often and how much at a time changes are shown.";
            C2 promises::what_was_done_is_not_done_again
                "What a plan did is not done again once it is seen, and after a few steps the same key gives an empty plan.";
            C3 promises::a_crash_after_any_action_changes_nothing_in_the_end
                "Stopped after any action, or told that it failed, and started anew, it makes and deletes nothing twice.";
            C4 promises::an_old_view_does_no_harm
                "Whatever earlier state it is shown, and however late its actions come, the end is the same.";
            C5 promises::what_others_wrote_stays
                "It writes to nothing that it does not manage, and takes back nothing that others wrote.";
            C6 promises::it_comes_to_rest
                "It comes to rest whatever the clock does, and then a second look, also of one just started, gives nothing.";
            C7 promises::what_it_cannot_improve_it_leaves_alone
                "An invalid object, or none at all, makes it neither panic nor change anything else.";
        }
    };
}

/// Makes a test of each clause of the controller suite. The argument is an expression that makes a `Vec<Scenario>`.
#[macro_export]
macro_rules! controller_suite {
    ($scenarios:expr) => {
        $crate::controller_clauses! { [$crate::clause_tests] [$scenarios] }
    };
}

/// The clauses of the controller suite.
#[must_use]
pub fn clauses() -> &'static [Clause<Vec<Scenario>>] {
    controller_clauses! { [crate::clause_table] [] }
}
