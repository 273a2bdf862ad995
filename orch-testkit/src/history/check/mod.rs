//! [`check`]: whether there is an order of all operations that explains a history.
//!
//! # What is decided
//! *Linearizability* (Herlihy and Wing, "Linearizability: a correctness condition for concurrent objects", TOPLAS 1990)
//! of the whole store as one object: every operation takes effect at one moment between its invocation and its answer,
//! as if one after another; one of unknown outcome at some moment after its invocation, or never. Beside it what the
//! contract promises about revisions, listings at past revisions, watches and compaction.
//!
//! # How
//! In general this is NP-complete (Gibbons and Korach, "Testing shared memories", SIAM J. Comput. 1997), and checkers
//! search (Wing and Gong, "Testing and verifying concurrent objects", JPDC 1993; Lowe, "Testing for linearizability",
//! CCPE 2017, and porcupine after it). Here nearly nothing is left to search, as in the robustness tests of etcd: the
//! contract gives every write a revision, which is its place in the one order of writes, and every answer names
//! revisions.
//!
//! 1. `facts`: every revision that anybody was told, with what stood there. It belongs to the write that was
//!    acknowledged with it, or else to one of unknown outcome: values and expectations tell which. Where several could
//!    have made it, each is tried.
//! 2. `timeline`: the writes are replayed in the order of their revisions. Each must find what it expects (W2, T2), and
//!    each fact must be what stands there (R2, W4, E8). It gives, for each key, from which revision to which it was
//!    what.
//! 3. `sweep`: what is not a write takes effect at a *slot*: a number s, meaning after the writes up to revision s and
//!    before the later ones. Its answer says at which slots that can have been. In the order of time, each gets the
//!    smallest one not below that of anything that had returned before it began; a write's slot is its revision and must
//!    be greater. All constraints are lower bounds, so if there is a solution at all, the smallest slots are one: this
//!    is exact, and takes O(n log n).
//! 4. `search`: only a deletion of unknown outcome can matter and leave no revision behind: all that shows is that the
//!    object is gone. If the history cannot be explained without, such writes are tried at all revisions that are still
//!    free and where no watch would have told of them. A relaxation first: if all of them together, each at every place
//!    where it might have been, explain nothing, no search is needed.
//! 5. `watches`: what each told is compared with the order of writes (E1 to E5, E8), up to its last event or progress
//!    mark (E6).
//!
//! # What it claims
//! [`Verdict::Violated`] is never wrong if the history is complete: the store was empty when the recording began, and
//! nobody writes past the recorder. [`Verdict::Kept`] is never wrong either. Between them stands
//! [`Verdict::Undecided`], when the search of step 4, or the choice of step 1, took more than [`BUDGET`] allows.
//!
//! A watch event counts as an observation: what begins after it was told sees that write. Deliberately absent: whatever
//! depends on how long something took (E6's five seconds, E7's slow readers) and the mark of the revision inside objects
//! (W4), which the conformance suite checks.

mod case;
mod facts;
mod search;
mod sweep;
mod timeline;
mod watches;

use self::case::Case;
use super::recorder::History;
use super::verdict::Verdict;

/// How many operations are looked at again in search of an order, before it is given up.
const BUDGET: usize = 20_000_000;

/// Holds a history against the promises of its store.
pub fn check(history: &History) -> Verdict {
    match Case::new(history) {
        Ok(case) => search::decide(&case),
        Err(violation) => Verdict::Violated(violation),
    }
}
