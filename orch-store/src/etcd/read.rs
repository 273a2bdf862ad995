//! Reads: one object, pages of many, and what is wrong with a revision that was asked for.

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::future::join;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Continue, Entry, ListFrom, ListOptions, Page, StoreError, Value};

use super::Inner;
use super::error::{Failure, Meaning};
use super::members::Effect;
use super::wire::{KeyValue, RangeRequest, RangeResponse, ResponseHeader};

/// The most objects of one answer.
const PAGE_MAX: usize = 10_000;
/// The first page of a listing, from whose objects is told how many of them make an answer of [`PAGE_BYTES`].
const PAGE_FIRST: usize = 500;
/// How large an answer should be: large enough that asking costs little, small enough to be held twice.
const PAGE_BYTES: usize = 8 << 20;

impl Inner {
    pub(super) async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        let request = RangeRequest { key: self.names.of(key), ..RangeRequest::default() };
        let answer = self.members.call(request, Effect::Reads).await.map_err(Failure::of_read)?;
        Ok(answer.kvs.into_iter().next().map(|kv| entry(key.clone(), kv)))
    }

    pub(super) async fn list(&self, prefix: &Prefix, options: ListOptions) -> Result<Page, StoreError> {
        let (from, range_end) = self.names.range(prefix);
        let (key, mut at) = match options.from {
            ListFrom::Latest => (from, None),
            ListFrom::At(revision) => (from, Some(revision)),
            ListFrom::Continue(next) => (just_after(&self.names.of(&next.after)), Some(next.revision)),
        };
        let mut entries = Vec::new();
        let page = |key: Bytes, limit: usize| RangeRequest {
            key,
            range_end: range_end.clone(),
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
            ..RangeRequest::default()
        };
        let known = |kv: KeyValue| self.key(&kv.key).map(|key| entry(key, kv));
        let limit = options.limit.map_or(PAGE_FIRST, |limit| limit.get().min(PAGE_MAX));
        let mut answer = self.range(page(key, limit), at).await?;
        loop {
            let revision = *at.get_or_insert_with(|| revision_of(answer.header));
            let next = answer.kvs.last().filter(|_| answer.more).map(|last| just_after(&last.key));
            let all_at_once = next_limit(&answer.kvs);
            let found = answer.kvs.into_iter().filter_map(known);
            let Some(next) = next else {
                entries.extend(found);
                return Ok(Page { entries: entries.into(), revision, next: None });
            };
            if options.limit.is_none() {
                // The server makes the next answer while entries are made of this one.
                let ask = self.range(page(next, all_at_once), at);
                let make = async {
                    tokio::task::yield_now().await;
                    entries.extend(found);
                };
                answer = join(ask, make).await.0?;
                continue;
            }
            entries.extend(found);
            if let Some(last) = entries.last() {
                let next = Some(Continue { revision, after: last.key.clone() });
                return Ok(Page { entries: entries.into(), revision, next });
            }
            answer = self.range(page(next, limit), at).await?;
        }
    }

    /// Whether what happened after `revision` is kept, and `revision` has been reached. No answer from the past.
    pub(super) async fn check_kept(&self, revision: Revision) -> Result<(), StoreError> {
        let request = RangeRequest { count_only: true, ..self.nothing() };
        self.range(request, Some(revision)).await.map(drop)
    }

    /// The latest revision. From the member's own memory only, if that is enough.
    pub(super) async fn latest(&self, serializable: bool) -> Result<Revision, Failure> {
        let request = RangeRequest { serializable, count_only: true, ..self.nothing() };
        Ok(revision_of(self.members.call(request, Effect::Reads).await?.header))
    }

    /// A name that is no object's.
    fn nothing(&self) -> RangeRequest {
        RangeRequest { key: self.names.range(&Prefix::all()).0, ..RangeRequest::default() }
    }

    async fn range(&self, mut request: RangeRequest, at: Option<Revision>) -> Result<RangeResponse, StoreError> {
        if let Some(requested) = at {
            // To etcd, 0 is the latest revision. Nothing is written at the first one, so it is empty like that before.
            request.revision = match i64::try_from(requested.0.max(1)) {
                Ok(revision) => revision,
                Err(_) => return Err(self.future(requested).await),
            };
        }
        match (self.members.call(request, Effect::Reads).await, at) {
            (Ok(answer), _) => Ok(answer),
            (Err(Failure { meaning: Meaning::Compacted, .. }), Some(requested)) => Err(self.compacted(requested).await),
            (Err(Failure { meaning: Meaning::Future, .. }), Some(requested)) => Err(self.future(requested).await),
            (Err(failure), _) => Err(failure.of_read()),
        }
    }

    pub(super) async fn future(&self, requested: Revision) -> StoreError {
        match self.latest(false).await {
            Ok(current) => StoreError::FutureRevision { requested, current },
            Err(failure) => failure.of_read(),
        }
    }

    pub(super) async fn compacted(&self, requested: Revision) -> StoreError {
        match self.oldest(requested).await {
            Ok(oldest) => StoreError::Compacted { requested, oldest },
            Err(failure) => failure.of_read(),
        }
    }
}

/// What stands at a key.
pub(super) fn entry(key: Key, kv: KeyValue) -> Entry {
    Entry::new(key, from_wire(kv.mod_revision), from_wire(kv.create_revision), Value::from_json(kv.value))
}

/// The revision of an answer.
pub(super) fn revision_of(header: Option<ResponseHeader>) -> Revision {
    from_wire(header.unwrap_or_default().revision)
}

/// A revision as etcd writes it, which is never negative.
pub(super) fn from_wire(revision: i64) -> Revision {
    Revision(revision.unsigned_abs())
}

/// The least name greater than this one.
fn just_after(name: &[u8]) -> Bytes {
    let mut next = BytesMut::with_capacity(name.len() + 1);
    next.put_slice(name);
    next.put_u8(0);
    next.freeze()
}

/// How many objects like these make an answer of [`PAGE_BYTES`].
fn next_limit(kvs: &[KeyValue]) -> usize {
    let bytes: usize = kvs.iter().map(|kv| kv.key.len() + kv.value.len()).sum();
    (PAGE_BYTES * kvs.len() / bytes.max(1)).clamp(1, PAGE_MAX)
}
