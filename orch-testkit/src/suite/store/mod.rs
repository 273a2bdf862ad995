//! The suites of [`Store`] and of the abilities that not every store has, [`Claim`], [`Compact`] and [`Transact`].
//!
//! Each clause gets a store of its own, new and empty. No clause supposes that revisions follow one another without
//! holes, or begin at a certain one, so a store far away that others use too can be tested, each clause in a part of
//! its own.

pub mod claims;
pub mod compaction;
pub mod reads;
pub mod shards;
mod steps;
pub mod transactions;
pub mod watches;
pub mod writes;

use orch_core::store::{Claim, Compact, Store, Transact};

use super::Clause;

/// Lists the clauses of the store suite.
#[doc(hidden)]
#[macro_export]
macro_rules! store_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::store as clauses; [$($args)*]
            W1 writes::every_write_gets_a_greater_revision
                "Every successful write gets a revision of its own, greater than that of every write before it.";
            W1 writes::writes_at_the_same_time_get_different_revisions
                "Writes at the same time get different revisions, each greater than those of the same writer before it.";
            W2 writes::a_creation_is_refused_where_there_is_an_object
                "A creation is refused where there is an object, and the refusal tells its revision.";
            W2 writes::a_change_of_an_old_state_is_refused
                "A change is refused unless the object's last write is the one expected.";
            W2 writes::a_deletion_of_an_old_state_is_refused
                "A deletion is refused unless the object's last write is the one expected.";
            W2 writes::what_does_not_exist_is_neither_changed_nor_deleted
                "A change or deletion of what does not exist, never did or no longer does, is refused as such.";
            W2 writes::another_object_of_that_name_is_not_touched
                "A revision belongs to one object: another one that took its name since is not touched.";
            W2 writes::of_several_writers_with_one_expectation_one_succeeds
                "Of several writers with the same expectation, exactly one succeeds.";
            W2 writes::no_increment_is_lost
                "Counting by read, change and retry on conflict, several at once count every step.";
            W3 writes::a_refused_write_leaves_no_trace
                "A write that was refused leaves no trace: no state, no event.";
            W3 writes::a_write_whose_future_is_dropped_is_whole
                "A write whose future is dropped has happened wholly, not at all, or happens wholly later.";
            W4 writes::what_comes_from_a_store_carries_its_revision
                "What comes from a store, by whatever way, carries the revision of its last write in its metadata.";
            W4 writes::an_entry_tells_which_write_created_it
                "An entry tells the write that created the object, which changes do not change and a new object of that name does.";
            W4 writes::an_object_comes_back_as_it_was_written
                "An object comes back as it was written, whether it was handed over in memory or as JSON.";
            R1 reads::a_read_sees_every_write_that_had_returned
                "A read sees every write that had returned before it began, whoever wrote.";
            R1 reads::reads_never_go_back
                "Reads one after another never go back, however many write meanwhile.";
            R1 reads::every_valid_name_is_an_address_of_its_own
                "Every valid name is an address of its own.";
            R2 reads::a_listing_holds_what_is_under_its_prefix_in_order
                "A listing holds exactly what is under its prefix, in the order of keys.";
            R2 reads::a_listing_states_its_revision
                "A listing states its revision, which is at least that of every write that had returned, even if it is empty.";
            R2 reads::pages_together_hold_every_object_once
                "Pages hold no more than was asked for, and together every object once, whatever their size.";
            R2 reads::all_pages_are_at_one_revision_whatever_is_written_between_them
                "All pages of a listing are at one revision, whatever is written between them.";
            R2 reads::a_listing_at_a_past_revision_is_the_state_of_then
                "A listing at a past revision is the state as it was then.";
            R3 reads::a_future_revision_is_refused
                "A revision that does not exist yet is refused, not answered with another one's state.";
            E1 watches::changes_come_in_order_each_once
                "The changes come in the order in which they were made, each once.";
            E2 watches::a_watch_after_the_latest_revision_tells_nothing_old
                "A watch after the latest revision tells nothing of the past.";
            E4 watches::a_watch_can_be_resumed_after_any_revision
                "From any revision that was told, a new watch goes on with exactly what comes after it.";
            E4 watches::replay_passes_into_live_events_without_a_gap
                "The replay of the past passes into live events without a gap and without repetition, while others write.";
            E4 watches::a_listing_and_a_watch_after_it_show_everything_once
                "A listing and a watch after its revision together show every object and every change once.";
            E4 watches::giving_up_to_wait_loses_no_event
                "Giving up waiting for an event loses none: the next look finds it.";
            E5 watches::a_watch_tells_of_exactly_its_prefix
                "A watch tells of exactly the keys under its prefix, in the past and live.";
            E6 watches::a_watch_that_has_caught_up_acknowledges_writes_elsewhere
                "A watch that has caught up acknowledges a write elsewhere in time, without being asked, again and again.";
            E6 watches::all_up_to_a_progress_mark_was_delivered
                "All up to a progress mark was delivered: no later event is from before it.";
            E7 watches::a_slow_reader_disturbs_nobody_and_loses_nothing_in_silence
                "A watch whose reader is slow slows down neither writers nor other watches, and loses nothing in silence.";
            E7 watches::a_dropped_watch_disturbs_nobody
                "A watch that is dropped, read to the end or not, disturbs nobody.";
            E8 watches::an_event_carries_what_was_there_before
                "An event carries the object as it was before, of a creation nothing.";
            S2 shards::a_listing_of_everything_is_whole_or_refused
                "A listing of everything holds every object of every kind, all in one order of writes, or is refused because the store has shards.";
            S2 shards::a_watch_of_everything_is_whole_or_refused
                "A watch of everything tells every change of every kind, all in one order of writes, or is refused because the store has shards.";
        }
    };
}

/// Makes a test of every clause of the store suite. The argument is an expression that makes a new, empty store.
#[macro_export]
macro_rules! store_suite {
    ($store:expr) => {
        $crate::store_clauses! { [$crate::clause_tests] [$store] }
    };
}

/// The clauses of the store suite.
#[must_use]
pub fn clauses<S: Store>() -> &'static [Clause<S>] {
    store_clauses! { [crate::clause_table] [] }
}

/// Lists the clauses of the suite of stores that can be compacted.
#[doc(hidden)]
#[macro_export]
macro_rules! compact_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::store as clauses; [$($args)*]
            C1 compaction::what_was_compacted_is_refused_and_the_rest_served_as_before
                "After a compaction no listing and no watch before it is served, and every one since is, as before.";
            C1 compaction::a_listing_that_is_overtaken_by_compaction_is_refused
                "A listing whose revision is compacted between two pages is refused, not continued at another revision.";
            C1 compaction::a_refusal_tells_the_oldest_revision_that_is_kept
                "A refusal tells the oldest revision that can be asked for.";
            C1 compaction::compaction_at_an_impossible_revision_does_nothing
                "A revision that does not exist yet cannot be compacted; one that was is compacted again without harm.";
            C1 compaction::a_progress_mark_is_a_place_to_resume_after
                "Progress marks keep a watch of a quiet prefix able to resume after the history was compacted.";
            C2 compaction::compaction_neither_loses_nor_revives_an_object
                "No object is lost by compaction, and none comes back.";
            C3 compaction::a_watch_that_has_caught_up_is_undisturbed_by_compaction
                "A watch that has nothing from before the compaction to deliver goes on undisturbed, however quiet its prefix is.";
            C3 compaction::a_watch_overtaken_by_compaction_says_so
                "A watch that was behind when the history was compacted delivers all of it, or ends saying that it cannot.";
        }
    };
}

/// Makes a test of every clause of the suite of stores that can be compacted. The argument is an expression that makes a new, empty store.
#[macro_export]
macro_rules! compact_suite {
    ($store:expr) => {
        $crate::compact_clauses! { [$crate::clause_tests] [$store] }
    };
}

/// The clauses of the suite of stores that can be compacted.
#[must_use]
pub fn compact_clauses<S: Compact>() -> &'static [Clause<S>] {
    compact_clauses! { [crate::clause_table] [] }
}

/// Lists the clauses of the suite of stores that have transactions.
#[doc(hidden)]
#[macro_export]
macro_rules! transact_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::store as clauses; [$($args)*]
            T1 transactions::all_writes_happen_at_one_revision
                "All writes of a transaction happen at one revision, greater than all before it.";
            T1 transactions::a_transaction_that_writes_an_object_twice_is_refused
                "A transaction that writes an object twice is refused, whatever else it does.";
            T1 transactions::the_events_of_a_transaction_come_together
                "The events of a transaction come directly one after another, each watch getting those under its prefix.";
            T1 transactions::no_reader_sees_part_of_a_transaction
                "No reader sees some of a transaction's writes only.";
            T2 transactions::nothing_happens_unless_every_check_holds
                "If one check does not hold, nothing happens.";
            T2 transactions::no_write_happens_unless_every_expectation_holds
                "If one write does not find what it expects, none happens.";
            T2 transactions::a_check_changes_nothing
                "A check holds as long as its object is as expected, and changes nothing about it.";
            T2 transactions::an_object_may_be_checked_and_written
                "An object may be checked and written in one transaction.";
            T2 transactions::a_writer_whose_lease_was_taken_is_fenced_off
                "A write that depends on the writer's lease does not happen once another one has taken the lease.";
            T3 transactions::the_first_that_does_not_hold_is_reported
                "The first that does not hold is the one reported: checks before writes, each in the order given.";
            T4 transactions::a_transaction_without_writes_writes_nothing
                "A transaction without writes writes nothing: it returns the current revision, if its checks hold.";
            T4 transactions::transfers_at_the_same_time_keep_the_sum
                "Transactions at the same time never both succeed on the same expectation: transfers keep the sum.";
            S2 shards::a_transaction_of_several_kinds_is_whole_or_refused
                "A transaction of several kinds happens wholly, or is refused because the store has shards and does not happen at all.";
            S2 shards::a_check_of_another_kind_decides_or_is_refused
                "A write that depends on an object of another kind is decided by that object, or refused because the store has shards.";
        }
    };
}

/// Makes a test of every clause of the suite of stores that have transactions. The argument is an expression that makes a new, empty store.
#[macro_export]
macro_rules! transact_suite {
    ($store:expr) => {
        $crate::transact_clauses! { [$crate::clause_tests] [$store] }
    };
}

/// The clauses of the suite of stores that have transactions.
#[must_use]
pub fn transact_clauses<S: Transact>() -> &'static [Clause<S>] {
    transact_clauses! { [crate::clause_table] [] }
}

/// Lists the clauses of the suite of stores in which keys can be claimed.
#[doc(hidden)]
#[macro_export]
macro_rules! claim_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::store as clauses; [$($args)*]
            L1 claims::only_what_is_free_can_be_claimed
                "A key can be claimed when nothing is there, and is refused with the revision of what is there otherwise.";
            L1 claims::of_several_claimants_one_succeeds
                "Of several claimants at the same time exactly one succeeds.";
            L1 claims::a_claimed_object_is_one_like_any_other
                "The claimed object is one like any other: reads, listings and watches show it, and it is written as others are.";
            L2 claims::a_claim_lives_as_long_as_it_is_renewed_in_time
                "No claim ends before its time to live has passed since it was claimed or last renewed.";
            L3 claims::a_claim_that_is_not_renewed_ends
                "A claim that is not renewed ends in time, by a deletion that watches tell.";
            L4 claims::a_claim_that_ran_out_is_lost
                "A claim that ended by itself can be neither renewed nor released, and whoever comes next is not disturbed.";
            L4 claims::a_released_claim_is_lost
                "A release deletes the object and ends the claim for ever.";
            L4 claims::a_claim_whose_object_was_deleted_is_lost
                "A claim whose object was deleted has ended, also when an object was put in its place.";
            L5 claims::tokens_grow
                "The token of a claim is greater than that of every earlier claim of the key, and its check names the claimed object.";
            L6 claims::a_put_keeps_the_claim
                "A put at a claimed key keeps the claim: it can be renewed, and the new object ends with it.";
        }
    };
}

/// Makes a test of every clause of the suite of stores in which keys can be claimed. The argument is an expression that
/// makes a new, empty store.
#[macro_export]
macro_rules! claim_suite {
    ($store:expr) => {
        $crate::claim_clauses! { [$crate::clause_tests] [$store] }
    };
}

/// The clauses of the suite of stores in which keys can be claimed.
#[must_use]
pub fn claim_clauses<S: Claim>() -> &'static [Clause<S>] {
    claim_clauses! { [crate::clause_table] [] }
}
