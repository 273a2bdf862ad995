//! The suite of [`Scheduler`].
//!
//! It holds for every scheduler that heeds what the objects say: where a pod may be placed at all (S3), and which nodes
//! it prefers where those are alike in all else (S4). That an implementation's own rules hold, and that its own scores
//! are the highest, is for its own tests to show.

pub mod answers;
pub mod capacity;
pub mod determinism;
pub mod forgetfulness;
mod generated;
pub mod levels;
pub mod monotony;
mod objects;
pub mod preferences;
pub mod refusals;
pub mod rules;

use orch_core::scheduler::Scheduler;

use super::Clause;

/// Lists the clauses of the suite.
#[doc(hidden)]
#[macro_export]
macro_rules! scheduler_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::scheduler as clauses; [$($args)*]
            S1 answers::every_pod_is_answered_once_in_the_order_given
                "Every pod is answered once, in the order given, by its key and uid.";
            S1 answers::a_pod_that_is_none_to_place_is_refused
                "A pod that has a node, has ended or is being deleted is refused without a look at any node.";
            S1 answers::a_pod_is_placed_once_however_often_it_is_given
                "A pod that is given twice is placed once.";
            S2 capacity::no_node_gets_more_of_a_resource_than_it_has
                "No node gets more of any resource, or more pods, than it has allocatable.";
            S2 capacity::no_node_gets_a_host_port_twice
                "No node gets one host port twice; a port on all addresses is a port on each.";
            S2 capacity::what_pods_used_is_free_when_they_end_or_go
                "What pods used is free again when they end, are removed or lose their node.";
            S2 capacity::a_change_of_a_node_leaves_its_pods_where_they_are
                "A change of a node, or its return, leaves its pods where they are.";
            S3 rules::pods_go_only_where_node_and_pod_allow_it
                "Pods are placed only on known, ready, uncordoned nodes that they select and whose taints they tolerate.";
            S3 rules::no_pod_goes_to_a_node_that_went
                "No pod is placed on a node that was removed.";
            S4 preferences::a_pod_with_room_is_placed
                "Where a node has room and nothing forbids it, the pod is placed.";
            S4 preferences::of_nodes_alike_in_all_else_the_preferred_one_is_chosen
                "Of nodes alike in all else, the one that the pod's affinity prefers most is chosen.";
            S4 preferences::of_nodes_alike_in_all_else_the_untainted_one_is_chosen
                "Of nodes alike in all else, one without PreferNoSchedule taints is chosen.";
            S5 refusals::a_refusal_counts_every_node_once
                "A refusal counts every node for exactly one rule and reason, the most first.";
            S5 refusals::a_refusal_without_nodes_counts_none
                "With no nodes a pod is refused, and nothing is counted.";
            S6 levels::the_order_of_changes_of_different_objects_makes_no_difference
                "Answers follow from the last state of each object, not from order or number of the changes.";
            S6 levels::a_pod_may_be_shown_before_its_node
                "A pod shown on a node that is not known yet counts when the node comes.";
            S6 levels::removing_what_is_not_there_is_no_error
                "Removing what is not there is no error, and changes nothing.";
            S7 forgetfulness::decisions_are_not_remembered
                "The same pods scheduled again get the same answers.";
            S7 forgetfulness::together_is_as_one_by_one
                "Pods scheduled together get the answers that they get one by one, each placement shown.";
            S8 determinism::schedulers_that_were_shown_the_same_answer_the_same
                "Two schedulers of the same configuration that were shown the same give the same answers.";
            S9 monotony::another_node_makes_no_placeable_pod_unplaceable
                "One more node never makes a placeable pod unplaceable.";
            S9 monotony::more_capacity_makes_no_placeable_pod_unplaceable
                "More capacity on a node never makes a placeable pod unplaceable.";
        }
    };
}

/// Makes a test of every clause of the scheduler suite. The argument is an expression that makes a scheduler that was
/// shown nothing; each time it is evaluated, it makes one of the same configuration and seed.
#[macro_export]
macro_rules! scheduler_suite {
    ($scheduler:expr) => {
        $crate::scheduler_clauses! { [$crate::clause_tests] [|| $scheduler] }
    };
}

/// The clauses of the scheduler suite. The subject is a function that makes schedulers, all of the same configuration
/// and seed, that were shown nothing.
#[must_use]
pub fn clauses<S: Scheduler, F: Fn() -> S + Send + 'static>() -> &'static [Clause<F>] {
    scheduler_clauses! { [crate::clause_table] [] }
}
