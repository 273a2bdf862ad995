//! The suite of [`Interactive`]. Its subject is a [`RuntimeFixture`] whose runtime is one.
//!
//! [`RuntimeFixture`]: crate::suite::runtime::RuntimeFixture

pub mod containers;
pub mod sessions;
mod steps;
pub mod terminals;

use orch_core::runtime::Interactive;

use super::Clause;
use super::runtime::RuntimeFixture;

/// Lists the clauses of the suite.
#[doc(hidden)]
#[macro_export]
macro_rules! interactive_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::interactive as clauses; [$($args)*]
            T1 sessions::what_is_sent_comes_back_whole
                "Ten megabytes that a command copies arrive to the last byte; its errors are apart, and its exit code comes last.";
            T1 sessions::an_input_that_was_not_asked_for_is_empty
                "A command for which no input was asked for finds its input at its end.";
            T1 sessions::a_command_that_is_missing_is_told
                "A command that does not exist is CommandNotFound.";
            T1 sessions::no_command_runs_beside_what_does_not_run
                "No command is run beside, and nobody attaches to, what does not run: NoSuchContainer.";
            T2 sessions::one_that_is_not_read_holds_up_no_other
                "While nobody reads a command that floods, other commands and the container go on.";
            T2 sessions::the_end_of_the_container_ends_its_sessions
                "When the container ends, so do the commands beside it, and their sessions.";
            T3 sessions::a_command_ends_when_its_session_is_dropped
                "When a session is dropped, its command ends with everything that it started, and the container goes on.";
            T3 containers::the_container_does_not_notice_who_leaves
                "When somebody who attached or forwarded a port goes, the container goes on, and others can come.";
            T4 terminals::a_command_sees_its_terminal
                "A command sees a terminal of the size that was asked for, and of every size that is sent later.";
            Attach containers::output_and_input_are_passed_on
                "Who attaches sees the output from then on, passes input on, and is told the end.";
            Attach containers::a_terminal_is_passed_on
                "Who attaches to a container with a terminal uses that terminal.";
            Attach containers::input_that_was_not_asked_for_is_dropped
                "What is sent to a container that did not ask for an input is dropped.";
            Forward containers::a_port_is_forwarded_both_ways
                "A connection to a port of the pod carries what is sent both ways.";
            Forward containers::a_port_where_nobody_listens_is_refused
                "A connection to a port where nobody listens is Refused; without a pod it is NoSuchPod.";
        }
    };
}

/// Makes a test of every clause of the suite of interactive runtimes. The argument is an expression that makes a new
/// [`RuntimeFixture`](crate::suite::runtime::RuntimeFixture).
#[macro_export]
macro_rules! interactive_suite {
    ($fixture:expr) => {
        $crate::interactive_clauses! { [$crate::clause_tests] [$fixture] }
    };
}

/// The clauses of the suite of interactive runtimes.
#[must_use]
pub fn clauses<F: RuntimeFixture<Runtime: Interactive>>() -> &'static [Clause<F>] {
    interactive_clauses! { [crate::clause_table] [] }
}
