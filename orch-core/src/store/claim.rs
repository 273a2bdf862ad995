//! [`Claim`]: objects that live only as long as somebody keeps them alive.

use std::time::Duration;

use async_trait::async_trait;

use super::{Check, Entry, Expect, Store, StoreError, Value};
use crate::key::Key;
use crate::revision::Revision;

/// A store in which a key can be claimed: an object is put there that lives only as long as the claimant renews it.
///
/// Others call this a lease with a time to live, or a lock. A lock alone lets two writers in, since a claimant that was
/// asleep does not know that its claim has ended. Therefore every claim comes with a fencing token, [`Claimed::token`],
/// for whatever outside the store refuses tokens lower than the highest that it has seen; and with a
/// [`check`](Claimed::check), on which writes in a store that is [`Transact`](super::Transact) can depend.
///
/// # What it promises
/// - **L1** A key can be claimed only when there is no object at it; of several claimants at most one succeeds. To
///   everybody else the claimed object is one like any other, and W1 to W4 of [`Store`] hold for it.
/// - **L2** *Alive*: no claim ends by itself before its time to live has passed since the last call that claimed or
///   renewed it *began*. A restart of the store may give it longer, never shorter.
/// - **L3** *Mortal*: a claim that is not renewed ends by itself, at most [`ENDS_WITHIN`] after its time to live, as long as
///   the store is able to serve. Its object is then deleted by a write like any other, which watches tell.
/// - **L4** *Ended for ever*: a claim has ended when its object was deleted, by whomever. It can be neither renewed nor
///   released from then on, whatever was put at the key since.
/// - **L5** *Fenced*: the token of a claim is greater than that of every earlier claim of the key. Its check holds until
///   the object is changed or deleted, and never again.
/// - **L6** A put at a claimed key keeps the claim: the new object lives as long as the old one would have.
#[async_trait]
pub trait Claim: Store {
    /// Puts `value` at `key`, where nothing must be, to live for `ttl` from now on unless it is renewed.
    ///
    /// # Errors
    /// As [`Store::put`] expecting [`Expect::Absent`]. After an error whose outcome is unknown, or when the future is
    /// dropped, a claim that was made nevertheless ends by itself.
    async fn claim(&self, key: &Key, value: Value, ttl: Duration) -> Result<Claimed, StoreError>;

    /// Lets the claim live for its time to live from now on.
    ///
    /// # Errors
    /// [`StoreError::ClaimLost`] when it has ended. After [`StoreError::Unavailable`] try again, and stop acting as the
    /// claimant when the time to live has passed since the last renewal that succeeded began.
    async fn renew(&self, claimed: &Claimed) -> Result<(), StoreError>;

    /// Ends the claim: deletes its object, and returns the revision of the deletion.
    ///
    /// # Errors
    /// [`StoreError::ClaimLost`] when it has ended already.
    async fn release(&self, claimed: &Claimed) -> Result<Revision, StoreError>;
}

/// How long after its time to live a claim may go on existing; see L3.
pub const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// A claim that was made. It holds nothing: dropping it ends nothing.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The object as it was put.
    pub entry: Entry,
    /// How long the claim lives after each renewal: what was asked for, or longer if the store cannot count so finely.
    pub ttl: Duration,
    /// By what the store knows the claim, if it needs more than the key and the token.
    pub handle: u64,
}

impl Claimed {
    /// The fencing token: greater than that of every earlier claim of the key.
    #[must_use]
    pub fn token(&self) -> Revision {
        self.entry.created
    }

    /// What holds as long as the object is as the claimant put it. Who has changed the object since checks the revision
    /// of that write instead.
    #[must_use]
    pub fn check(&self) -> Check {
        Check { key: self.entry.key.clone(), expect: Expect::Revision(self.entry.revision) }
    }
}
