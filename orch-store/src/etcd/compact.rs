//! [`Compact`], and how far a cluster is compacted.

use async_trait::async_trait;
use futures::StreamExt as _;
use orch_core::key::Prefix;
use orch_core::revision::Revision;
use orch_core::store::{Compact, StoreError};

use super::error::{Failure, Meaning};
use super::members::{Effect, Line};
use super::read::from_wire;
use super::wire::{self, CompactionRequest, WatchAsks, WatchCreateRequest, WatchRequest, WatchResponse};
use super::{EtcdStore, Inner};

/// Compacts the whole cluster, what others keep in it too.
#[async_trait]
impl Compact for EtcdStore {
    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        if revision == Revision::ZERO {
            return Ok(());
        }
        let Ok(wire_revision) = i64::try_from(revision.0) else { return Err(self.inner.future(revision).await) };
        match self.inner.members.call(CompactionRequest { revision: wire_revision }, Effect::Writes).await {
            Ok(_) => Ok(()),
            Err(failure) => match failure.meaning {
                Meaning::Compacted => Ok(()),
                Meaning::Future => Err(self.inner.future(revision).await),
                _ => Err(failure.of_write()),
            },
        }
    }
}

impl Inner {
    /// The oldest revision that is kept, given one that is not: only a watch from there is told it.
    pub(super) async fn oldest(&self, compacted: Revision) -> Result<Revision, Failure> {
        let key = self.names.range(&Prefix::all()).0;
        let start_revision = i64::try_from(compacted.0.max(1)).unwrap_or(i64::MAX);
        let create = WatchCreateRequest { key, start_revision, ..WatchCreateRequest::default() };
        let create = WatchRequest { asks: Some(WatchAsks::Create(create)) };
        let ask = |line: Line| compact_revision(line, create.clone());
        self.members.with_line(self.members.deadline(), Effect::Reads, ask).await
    }
}

async fn compact_revision(line: Line, create: WatchRequest) -> Result<Revision, Failure> {
    // No end, since the server may take that for the end of the watch.
    let requests = futures::stream::iter([create]).chain(futures::stream::pending());
    let connection = &line.connection;
    let mut answers = connection.stream::<_, WatchResponse>(wire::WATCH, requests, line.token.as_deref()).await?;
    while let Some(answer) = answers.message().await.map_err(|status| connection.failure(status))? {
        if answer.compact_revision > 0 {
            return Ok(from_wire(answer.compact_revision));
        }
        if answer.canceled {
            return Err(Failure::of_cancelled_watch(&connection.member.shown, &answer.cancel_reason));
        }
    }
    Err(Failure::new(Meaning::Unknown, "the server ended a watch"))
}
