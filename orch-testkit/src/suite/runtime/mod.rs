//! The suite of [`Runtime`](orch_core::runtime::Runtime). Its subject is a [`RuntimeFixture`].

pub mod behind_back;
pub mod beside;
pub mod contained;
pub mod ends;
mod fixture;
pub mod given;
pub mod names;
pub mod output;
pub mod removals;
pub mod reports;
pub mod restarts;
pub mod starts;
pub mod stats;
pub(in crate::suite) mod steps;

pub use fixture::{Ability, Beside, Program, RuntimeFixture};

use super::Clause;

/// Lists the clauses of the suite.
#[doc(hidden)]
#[macro_export]
macro_rules! runtime_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::runtime as clauses; [$($args)*]
            R1 starts::a_sandbox_that_exists_is_not_made_again
                "A sandbox that exists is not made again: it keeps its address and its time.";
            R1 starts::an_attempt_that_runs_is_not_started_again
                "An attempt that runs is not started again, and the request succeeds.";
            R1 starts::an_attempt_that_ended_is_not_started_again
                "An attempt that has ended is not started again, and the request succeeds.";
            R1 starts::callers_that_race_start_an_attempt_once
                "When several callers ask for the same attempt at once, it is started once, and all are told that it runs.";
            R2 starts::no_attempt_starts_beside_another
                "While an attempt runs no other attempt of the container is started: the request is StillRunning.";
            R2 starts::attempts_that_race_do_not_run_together
                "When two attempts of a container are asked for at once, one of them at most runs.";
            R2 starts::no_attempt_follows_a_later_one
                "After an attempt was started no earlier one is started any more: the request is Superseded.";
            R2 starts::an_attempt_that_was_removed_does_not_come_back
                "An attempt that ended and was removed is not started again: the request is Superseded.";
            R2 starts::a_container_needs_a_sandbox
                "A container is not started without a sandbox: the request is NoSuchPod.";
            R7 starts::a_program_that_is_missing_is_a_state
                "A program that does not exist is an ended container with StartError, code 128 and a message; no error.";
            Spec starts::a_program_gets_its_environment
                "A program gets the environment that its spec says; of one name given twice the last counts.";
            R3 reports::everything_is_listed_in_order
                "Every sandbox and container is listed, running or ended, ordered by pod, container and attempt.";
            R3 reports::a_pod_that_is_not_known_is_none
                "The status of a pod that is not known is None.";
            R3 reports::an_exit_is_told_with_its_code_and_times
                "An ended container is reported with its exit code and both times.";
            R3 reports::a_death_by_signal_is_told_as_such
                "A container that a signal ended is reported as Signaled, with 128 and the signal's number.";
            R3 reports::an_end_is_an_event
                "A container that ends by itself is told to those who listen, again after each end.";
            R3 reports::what_others_made_is_not_reported
                "A runtime reports nothing that a runtime of another configuration made.";
            R3 behind_back::a_destroyed_sandbox_is_told_and_made_anew
                "A sandbox that others destroyed is not ready, no container starts in it, and it can be made anew.";
            R3 behind_back::a_killed_container_is_told
                "A container that others killed is reported as ended, and the next attempt can be started.";
            R3 behind_back::a_removed_container_is_told
                "A container that others removed is reported as ended or not at all, and the next attempt can be started.";
            R4 restarts::what_runs_goes_on
                "A container goes on when its runtime ends; a new runtime reports it with its id, process and start time.";
            R4 restarts::what_runs_is_not_started_again
                "A container that a new runtime found is not started again, beside it or in its place.";
            R4 restarts::an_end_while_nobody_watched_is_known
                "A container that ends while there is no runtime is reported by the next one with its exit code.";
            R4 restarts::what_ended_before_is_still_known
                "Ended containers and their output are reported by a new runtime as they were.";
            R4 restarts::a_container_that_was_found_is_under_control
                "A new runtime stops what it found, tells how it ended, and reads what it wrote before and after.";
            R5 ends::a_container_is_asked_to_end
                "A container that listens ends when asked to, long before its grace period is over.";
            R5 ends::one_that_does_not_listen_is_killed
                "A container that does not listen has its whole grace period, and is then killed.";
            R5 ends::when_stop_returns_it_has_ended
                "When stop returns, the container is reported as ended.";
            R5 ends::what_it_started_ends_with_it
                "With a container ends everything that it started, also what left its process group.";
            R5 ends::what_it_left_behind_ends_with_it
                "What a container leaves running when it is killed without being stopped ends, too.";
            R5 ends::what_ended_is_stopped_at_once
                "Stopping a container that has ended succeeds at once, and changes nothing.";
            R5 ends::what_is_not_known_is_not_stopped
                "Stopping an attempt that is not known is NoSuchContainer.";
            R6 removals::nothing_is_left_of_a_removed_pod
                "After a pod was removed nothing of it is left: no process, file, address or record.";
            R6 removals::what_runs_is_killed
                "Removing a pod kills what runs, whether it listens or not, with everything that it started.";
            R6 removals::what_is_not_known_is_removed
                "Removing a pod or an attempt that is not known succeeds.";
            R6 removals::an_ended_attempt_can_be_forgotten
                "An ended attempt can be removed by itself; the others stay.";
            R6 removals::a_running_attempt_is_not_forgotten
                "An attempt that runs is not removed by itself: the request is StillRunning.";
            R8 output::it_is_read_while_the_container_runs
                "What a container wrote can be read while it runs.";
            R8 output::it_is_read_after_the_end
                "What a container wrote can be read after it ended, to the last byte.";
            R8 output::each_attempt_has_its_own
                "Each attempt has its own output.";
            R8 output::the_last_lines_can_be_asked_for
                "Of the output the last lines can be asked for.";
            R8 output::it_can_be_followed_to_the_end
                "Output can be followed; the stream ends when the container has ended and all was read.";
            R8 output::lines_are_told_with_their_time
                "Each line can be had with the time when it was written, in RFC 3339 with nanoseconds.";
            R8 output::lines_since_a_time_can_be_asked_for
                "Of the output the lines since a time can be asked for, and of those the last.";
            R8 output::what_is_not_known_has_none
                "The output of an attempt that is not known is NoSuchContainer.";
            R9 contained::a_flood_does_not_disturb_others
                "A container that floods its output does not keep others from being started, read and stopped.";
            R9 contained::a_long_stop_does_not_hold_up_others
                "While a container uses up its grace period, others of the same pod are started and end.";
            R9 contained::one_that_cannot_start_does_not_hold_up_others
                "A container that cannot be started does not keep the next ones from being started.";
            R9 contained::a_fork_bomb_does_not_disturb_others
                "A container that forks without end is limited; others go on, it can be stopped, and nothing is left of it.";
            R9 contained::memory_without_end_is_told
                "A container that uses more memory than it may is ended, with OutOfMemory, and others go on.";
            R10 given::a_folder_is_mounted
                "A folder of the node that is mounted can be read and written at its target.";
            R10 given::a_read_only_mount_cannot_be_written
                "What is mounted read-only can be read and not written.";
            R10 given::a_file_is_mounted
                "A single file of the node can be mounted.";
            R10 given::a_mount_of_nothing_is_a_state
                "A mount of what the node does not have is a start that fails, and names it.";
            R10 given::a_container_has_its_user_and_groups
                "A container runs as the user and with the groups that it asks for.";
            R10 given::one_that_must_not_be_root_is_not
                "A container that must not run as root is not started as root, whoever says so.";
            R10 given::capabilities_are_added
                "Capabilities are added to those that every container has.";
            R10 given::capabilities_are_dropped
                "Capabilities are taken away from those that every container has.";
            R10 given::the_root_is_read_only
                "A root file system that is to be read-only is.";
            R10 given::nothing_is_gained_unless_it_may_be
                "A container gains no privileges that it was not started with, unless it may.";
            R10 given::a_terminal_is_given_if_asked_for
                "A container has a terminal if it asks for one, and otherwise none.";
            R10 given::an_input_is_given_if_asked_for
                "The input of a container is empty unless it asks for one; one that asks waits for what is sent.";
            Spec given::containers_see_the_host_name_of_their_pod
                "Containers see the host name of their pod.";
            Spec names::containers_see_whom_their_pod_asks
                "Containers see in /etc/resolv.conf whom their pod asks for names: in each attempt, under a new runtime, too.";
            Spec names::other_pods_see_nothing_of_it
                "What a pod has in /etc/resolv.conf, and what its containers write there, other pods do not see.";
            Spec names::a_mount_at_the_place_hides_it
                "A container that mounts something at /etc/resolv.conf sees that.";
            Spec names::containers_find_names_among_the_hosts
                "Containers find in /etc/hosts the names that their pod's spec has.";
            Stats stats::they_name_what_runs_and_nothing_else
                "Stats name every container that runs and no other, in order; those of a pod that is not known are None.";
            Stats stats::what_a_busy_container_uses_grows
                "What is measured of a busy container grows and is plausible; what cannot be measured is None, never 0.";
            Exec beside::a_command_runs_and_is_told
                "A command beside a container is reported with its exit code, standard output and standard error.";
            Exec beside::a_command_has_the_environment_of_the_container
                "A command beside a container has the container's environment.";
            Exec beside::a_command_that_takes_too_long_is_killed
                "A command that does not end within its time is killed, with TimedOut, and the container goes on.";
            Exec beside::a_command_that_is_missing_is_told
                "A command that does not exist is CommandNotFound.";
            Exec beside::a_container_that_does_not_run_has_no_commands
                "No command is run beside a container that has ended or is not known: NoSuchContainer.";
        }
    };
}

/// Makes a test of every clause of the runtime suite. The argument is an expression that makes a new
/// [`RuntimeFixture`](crate::suite::runtime::RuntimeFixture).
#[macro_export]
macro_rules! runtime_suite {
    ($fixture:expr) => {
        $crate::runtime_clauses! { [$crate::clause_tests] [$fixture] }
    };
}

/// The clauses of the runtime suite.
#[must_use]
pub fn clauses<F: RuntimeFixture>() -> &'static [Clause<F>] {
    runtime_clauses! { [crate::clause_table] [] }
}
