//! Writes. Each is one transaction of etcd's, with the expectations as its comparisons; when they do not hold it tells
//! what it found instead, in the same answer.

use async_trait::async_trait;
use bytes::Bytes;
use orch_core::key::Key;
use orch_core::revision::Revision;
use orch_core::store::{Check, Entry, Expect, StoreError, Transact, Value, Write};
use prost::Message as _;

use super::error::{Failure, Meaning};
use super::members::Effect;
use super::read::{from_wire, revision_of};
use super::wire::{
    Compare, DeleteRangeRequest, KeyValue, Operation, PutRequest, RangeRequest, RequestOp, ResponseOp, TxnRequest,
    TxnResponse,
};
use super::{EtcdStore, Inner};
use crate::mvcc::check_unique;

/// The id of a lease.
pub(super) type LeaseId = i64;

impl Inner {
    /// Puts the object, to live as long as `lease` if there is one; otherwise as long as the one that it replaces.
    pub(super) async fn put(
        &self,
        key: &Key,
        value: Value,
        expect: Expect,
        lease: Option<LeaseId>,
    ) -> Result<Entry, StoreError> {
        let name = self.names.of(key);
        let put = put(name.clone(), value.encode()?, expect, lease);
        let mut success = vec![put.into()];
        if expect != Expect::Absent {
            // Tells the revision at which the object was created.
            success.push(look(name.clone()));
        }
        let request = TxnRequest { compare: vec![compare(name.clone(), expect)], success, failure: vec![look(name)] };
        let answer =
            self.transact(request, |size, limit| StoreError::TooLarge { key: key.clone(), size, limit }).await?;
        if !answer.succeeded {
            return Err(self.conflict(key, found(&answer.responses, 0)));
        }
        let revision = revision_of(answer.header);
        let created = found(&answer.responses, 1).map_or(revision, |kv| from_wire(kv.create_revision));
        Ok(Entry::new(key.clone(), revision, created, value))
    }

    pub(super) async fn delete(&self, key: &Key, expect: Revision) -> Result<Revision, StoreError> {
        let comparison = compare(self.names.of(key), Expect::Revision(expect));
        match self.delete_if(key, comparison).await? {
            Ok(revision) => Ok(revision),
            Err(found) => Err(self.conflict(key, found.as_ref())),
        }
    }

    /// Deletes what is at the key and returns the revision of the deletion, or else returns what is there.
    pub(super) async fn delete_if(
        &self,
        key: &Key,
        comparison: Compare,
    ) -> Result<Result<Revision, Option<KeyValue>>, StoreError> {
        let name = self.names.of(key);
        let request = TxnRequest {
            compare: vec![comparison],
            success: vec![Operation::Delete(DeleteRangeRequest { key: name.clone() }).into()],
            failure: vec![look(name)],
        };
        let answer =
            self.transact(request, |size, limit| StoreError::TooLarge { key: key.clone(), size, limit }).await?;
        Ok(if answer.succeeded { Ok(revision_of(answer.header)) } else { Err(found(&answer.responses, 0).cloned()) })
    }

    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        check_unique(&writes)?;
        let operations = checks.len() + writes.len();
        let too_many = || StoreError::TransactionTooLarge {
            size: operations,
            limit: self.transaction_limit,
            unit: "checks and writes",
        };
        if operations > self.transaction_limit {
            return Err(too_many());
        }
        let looked_at = checks.iter().map(|check| (&check.key, check.expect));
        let looked_at = looked_at.chain(writes.iter().map(|write| (write.key(), write.expect())));
        let looked_at: Vec<(Key, Expect)> = looked_at.map(|(key, expect)| (key.clone(), expect)).collect();
        let only_one = if writes.len() == 1 { writes.first().map(|write| write.key().clone()) } else { None };
        let mut success = Vec::with_capacity(writes.len().max(1));
        for write in writes {
            success.push(self.operation(write)?.into());
        }
        if success.is_empty() {
            // A transaction of nothing need not ask the other members, so it could tell an old revision.
            success.push(look(self.names.range(&orch_core::key::Prefix::all()).0));
        }
        let name = |(key, expect): &(Key, Expect)| (self.names.of(key), *expect);
        let request = TxnRequest {
            compare: looked_at.iter().map(name).map(|(name, expect)| compare(name, expect)).collect(),
            success,
            failure: looked_at.iter().map(|(key, _)| look(self.names.of(key))).collect(),
        };
        let too_large = |size, limit| match only_one {
            Some(key) => StoreError::TooLarge { key, size, limit },
            None => StoreError::TransactionTooLarge { size, limit, unit: "bytes" },
        };
        let answer = self.transact(request, too_large).await?;
        if answer.succeeded {
            return Ok(revision_of(answer.header));
        }
        for (index, (key, expect)) in looked_at.iter().enumerate() {
            let found = found(&answer.responses, index);
            let holds = match expect {
                Expect::Absent => found.is_none(),
                Expect::Revision(revision) => found.is_some_and(|kv| from_wire(kv.mod_revision) == *revision),
            };
            if !holds {
                return Err(self.conflict(key, found));
            }
        }
        let message = "etcd refused a transaction of which every expectation holds".to_owned();
        Err(StoreError::Refused { message, source: None })
    }

    fn operation(&self, write: Write) -> Result<Operation, StoreError> {
        Ok(match write {
            Write::Put { key, value, expect } => put(self.names.of(&key), value.encode()?, expect, None),
            Write::Delete { key, .. } => Operation::Delete(DeleteRangeRequest { key: self.names.of(&key) }),
        })
    }

    async fn transact(
        &self,
        request: TxnRequest,
        too_large: impl FnOnce(usize, usize) -> StoreError,
    ) -> Result<TxnResponse, StoreError> {
        let (size, limit) = (request.encoded_len(), self.request_limit);
        if size > limit {
            return Err(too_large(size, limit));
        }
        let operations = request.compare.len().max(request.success.len());
        self.members.call(request, Effect::Writes).await.map_err(|failure| match failure.meaning {
            // The servers' limits are lower than those that are configured here.
            Meaning::TooManyBytes => too_large(size, size.saturating_sub(1)),
            Meaning::TooManyOperations => StoreError::TransactionTooLarge {
                size: operations,
                limit: operations.saturating_sub(1),
                unit: "checks and writes",
            },
            _ => Failure::of_write(failure),
        })
    }

    fn conflict(&self, key: &Key, found: Option<&KeyValue>) -> StoreError {
        StoreError::Conflict { key: key.clone(), found: found.map(|kv| from_wire(kv.mod_revision)) }
    }
}

#[async_trait]
impl Transact for EtcdStore {
    async fn commit(&self, checks: &[Check], writes: Vec<Write>) -> Result<Revision, StoreError> {
        self.inner.commit(checks, writes).await
    }
}

fn put(key: Bytes, value: Bytes, expect: Expect, lease: Option<LeaseId>) -> Operation {
    Operation::Put(PutRequest {
        key,
        value,
        lease: lease.unwrap_or_default(),
        // Otherwise a put would take an object from the lease with which it should end. There must be an object then.
        ignore_lease: expect != Expect::Absent,
    })
}

/// What is at the key, without its value.
fn look(key: Bytes) -> RequestOp {
    Operation::Range(RangeRequest { key, keys_only: true, ..RangeRequest::default() }).into()
}

fn compare(key: Bytes, expect: Expect) -> Compare {
    let revision = match expect {
        Expect::Absent => 0,
        // No write has the revision 0, which to etcd means: absent. Nor has one a negative revision.
        Expect::Revision(Revision(0)) => -1,
        Expect::Revision(revision) => i64::try_from(revision.0).unwrap_or(-1),
    };
    Compare::mod_revision(key, revision)
}

/// What the operation of this number found.
fn found(responses: &[ResponseOp], index: usize) -> Option<&KeyValue> {
    responses.get(index)?.range.as_ref()?.kvs.first()
}
