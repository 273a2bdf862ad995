//! [`Store`]: where the state of a cluster lives.

mod claim;
mod entries;
mod entry;
mod error;
mod ext;
mod list;
mod transact;
mod watch;

use std::fmt::Debug;

use async_trait::async_trait;

pub use claim::{Claim, Claimed, ENDS_WITHIN};
pub use entries::Entries;
pub use entry::{Entry, Stored, Value};
pub use error::StoreError;
pub use ext::StoreExt;
pub use list::{Continue, ListFrom, ListOptions, Page};
pub use transact::{Check, Transact, Write};
pub use watch::{Watch, WatchEvent};

use crate::key::{Key, Prefix};
use crate::revision::Revision;

/// Where the state of a cluster lives: objects by key, one order of writes, compare-and-swap, and watches without
/// gaps.
///
/// It is small enough that a remote API server can be one. What not every store can do is a trait of its own:
/// [`Transact`], [`Compact`], [`Claim`].
///
/// # What every store promises
///
/// *Writes*
/// - **W1** Every successful write gets a [`Revision`] of its own, greater than that of every write that had
///   returned before it began. Revisions never go back, not even across a restart.
/// - **W2** A write happens only if the object is as expected at that moment; of several writes with the same
///   expectation at most one succeeds. There is no unconditional overwrite and no unconditional delete.
/// - **W3** A write that returns an error whose [`outcome_is_unknown`](StoreError::outcome_is_unknown) is false has
///   not happened and will not happen. Otherwise, and when its future is dropped, it has happened wholly, not at
///   all, or will happen wholly later.
/// - **W4** What a read, list or watch returns carries in its metadata the revision of the write that made it.
///
/// *Reads*
/// - **R1** [`get`](Store::get) is linearizable: it sees every write that had returned, or that a watch had told of,
///   before it began.
/// - **R2** A [`list`](Store::list) is the state at one revision, which the page states, in the order of keys. All
///   pages of one listing are at the same revision, however many writes happen between them.
/// - **R3** A revision that is no longer kept is refused as [`StoreError::Compacted`], one that does not exist yet
///   as [`StoreError::FutureRevision`]; neither is answered with another revision's state.
///
/// *Watches*, of `prefix` after `revision`
/// - **E1** *Ordered*: events come in the order of their revisions.
/// - **E2** *Unique*: no event comes twice.
/// - **E3** *Atomic*: the events of one revision come directly one after another; no progress mark and no error comes
///   between them. So the revision of the last event that came is always a safe place to resume after.
/// - **E4** *Reliable*: between two events that were delivered none was left out; the first one is the first after
///   `revision`. The replay of the past passes into live events without a gap.
/// - **E5** *Filtered*: exactly the keys under the prefix.
/// - **E6** *Bookmarkable*: [`WatchEvent::Progress`] at R means that all up to R was delivered. A watch that has
///   caught up says so, without being asked, within [`PROGRESS_WITHIN`] of a write elsewhere in the store.
/// - **E7** *Honest*: a watch that cannot go on says why as its last item and ends. It never skips silently, ends
///   without a word, or slows down writers and other watchers because its reader is slow.
/// - **E8** A put event carries the previous object where there was one and it is still known; a delete event
///   likewise carries the object that was deleted.
///
/// *Shards*
/// - **S1** A store may consist of shards. In which of them an object is depends on its collection and its namespace
///   alone. What is said here of revisions holds among the objects of one shard; the revisions of two shards have
///   nothing to do with each other. A store that does not say otherwise is one shard.
/// - **S2** A request that reaches into several shards is refused as [`StoreError::SpansShards`], and nothing of it
///   happens.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// The object at `key`, or `None`.
    ///
    /// # Errors
    /// Only those of the store itself ([`StoreError::Unavailable`], [`StoreError::Corrupt`]); a missing object is
    /// no error.
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError>;

    /// The objects under `prefix` at one revision, in the order of keys, at most `options.limit` of them.
    ///
    /// An empty result is a page without entries. A page whose `next` is `Some` has successors: pass it on as
    /// [`ListFrom::Continue`], with the same prefix.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] and [`StoreError::FutureRevision`] as R3 says; the caller starts a new listing.
    async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError>;

    /// Writes `value` at `key` if the object there is as expected, and returns what is now there.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the object is not as expected, with the revision that it has;
    /// [`StoreError::TooLarge`]. After an error whose outcome is unknown, `get` tells what happened.
    async fn put(&self, key: &Key, value: Value, expect: Expect) -> Result<Entry, StoreError>;

    /// Deletes the object at `key` if its last write was at `expect`, and returns the revision of the deletion.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the object has another revision, or is not there.
    async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError>;

    /// Every change under `prefix` with a revision greater than `after`, from now on and for ever.
    ///
    /// List, then watch after the page's revision: together they see every object and every change once.
    /// Dropping the watch ends it and frees what it held.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when changes after `after` are no longer kept: list again.
    /// [`StoreError::FutureRevision`] when the store has not reached `after`: it is not the store that gave that
    /// revision, or it lost writes. Both may also come as the watch's last item.
    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError>;
}

/// How long a watch that has caught up may take to acknowledge a write elsewhere in its store; see E6.
pub const PROGRESS_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// How the object must be for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is none.
    Absent,
    /// Its last write was at this revision. A revision belongs to one write, so this also means: it is the same
    /// object, not another one of that name.
    Revision(Revision),
}

/// A store whose history can be shortened.
///
/// # What it promises
/// - **C1** After `compact(r)` returned, a listing at any revision before `r` is refused as
///   [`StoreError::Compacted`], and so is a watch after one, unless there was no write between the two: then it may
///   also be served. Listings at, and watches after, `r` and later work as before.
/// - **C2** No object is lost: a listing at the latest revision is the same before and after.
/// - **C3** A watch that still had to deliver something before `r` delivers it nevertheless, or ends with
///   [`StoreError::Compacted`]; one that had not goes on undisturbed.
#[async_trait]
pub trait Compact: Store {
    /// Forgets all history before `revision`.
    ///
    /// # Errors
    /// [`StoreError::FutureRevision`] when the store has not reached `revision`. Compacting again at an earlier or
    /// the same revision is no error and does nothing.
    async fn compact(&self, revision: Revision) -> Result<(), StoreError>;
}
