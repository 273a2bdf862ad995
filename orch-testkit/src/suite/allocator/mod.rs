//! The suite of [`Allocator`].
//!
//! It holds for exclusive offers and for those that all see. In which order whom an allocator serves beyond A3 is for its
//! own tests to show.

pub mod audience;
pub mod capacity;
pub mod completeness;
pub mod determinism;
pub mod errors;
pub mod explanations;
pub mod fairness;
pub mod market;
pub mod quotas;
pub mod refusals;
pub mod rescinds;
pub mod reservations;

use orch_core::allocator::Allocator;

use super::Clause;

/// Lists the clauses of the suite.
#[doc(hidden)]
#[macro_export]
macro_rules! allocator_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::allocator as clauses; [$($args)*]
            A1 capacity::nothing_is_given_twice
                "What is used on a node, with what is offered exclusively, is never more than the node has.";
            A1 capacity::what_is_adopted_counts
                "What ran before the allocator was there is not offered, whoever it belongs to.";
            A2 audience::offers_concern_whom_they_are_made_to
                "Offers are of active nodes, to active frameworks, in roles that they are in and have not suppressed.";
            A2 audience::what_is_reserved_is_for_its_role_and_those_below
                "What is reserved is offered to its role and to roles below it, and to nobody else.";
            A2 audience::what_a_framework_cannot_deal_with_is_not_offered
                "GPUs, revocable resources and refined reservations are for those who can deal with them.";
            A2 audience::too_little_is_not_offered
                "Less than the least amounts is not offered, and a framework may say what these are.";
            A3 fairness::nobody_starves
                "Every framework gets an offer in as many rounds as there are frameworks, if the others decline.";
            A3 fairness::what_comes_free_goes_to_who_has_nothing
                "What comes free is offered to a framework that has nothing.";
            A4 refusals::what_is_refused_is_not_offered_until_its_time_is_over
                "What was refused is not offered again, nor less of it, until the time is over.";
            A4 refusals::more_than_was_refused_is_offered
                "More than was refused of a node is offered.";
            A4 refusals::a_refusal_ends_with_revival_disconnection_and_other_attributes
                "A refusal ends when the framework revives or is disconnected, or the node gets other attributes.";
            A4 refusals::a_refusal_is_for_one_framework_in_one_role
                "What one framework refused in a role is offered to others, and to it in another role.";
            A5 quotas::no_role_exceeds_its_limit
                "No role has more than its limit, with all below it.";
            A5 quotas::what_is_guaranteed_is_kept
                "What a role is guaranteed is kept from others, and offered to it when it comes.";
            A5 quotas::a_quota_that_cannot_be_kept_is_refused
                "A quota that cannot be kept is refused unless it is forced, and one that makes no sense is always.";
            A6 reservations::a_conversion_makes_and_loses_nothing
                "Resources become reserved and free again, with nothing made or lost.";
            A6 reservations::a_persistent_volume_is_offered_whole_until_it_is_freed
                "A persistent volume is offered whole, to its role alone, until it is freed.";
            A6 reservations::an_operator_may_convert_what_is_offered
                "An operator's conversion takes back offers if it must, and never what is used.";
            A7 rescinds::an_offer_ends_once
                "Every way in which an offer can end ends it once, and nobody can accept it then.";
            A7 rescinds::offers_of_the_time_before_are_unknown
                "An answered offer cannot be answered again.";
            A8 completeness::a_second_round_makes_no_offer
                "Two rounds with nothing in between make no offers in the second.";
            A8 completeness::what_is_free_and_wanted_is_offered
                "Whatever is free and may be had by somebody is offered to somebody.";
            A9 explanations::every_node_counts_once
                "Why a framework has no offer counts each node once in each role.";
            A9 explanations::the_obstacle_is_named
                "What stands in the way is named.";
            A10 determinism::allocators_that_were_told_the_same_do_the_same
                "Two allocators of the same settings that were told the same do the same.";
            A11 errors::what_is_impossible_is_an_error_and_changes_nothing
                "What is impossible is an error, and changes nothing.";
            A11 errors::who_accepts_too_much_loses_the_offer_and_nothing_else
                "Who accepts more than was offered loses the offer, and its resources are offered again.";
        }
    };
}

/// Makes a test of every clause of the allocator suite. The argument is an expression that makes an allocator that was
/// told nothing; each time it is evaluated, it makes one of the same settings and seed, with Mesos's least amounts.
#[macro_export]
macro_rules! allocator_suite {
    ($allocator:expr) => {
        $crate::allocator_clauses! { [$crate::clause_tests] [|| $allocator] }
    };
}

/// The clauses of the allocator suite. The subject is a function that makes allocators, all of the same settings and
/// seed, that were told nothing.
#[must_use]
pub fn clauses<A: Allocator, F: Fn() -> A + Send + 'static>() -> &'static [Clause<F>] {
    allocator_clauses! { [crate::clause_table] [] }
}
