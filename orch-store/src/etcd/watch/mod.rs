//! Watches that go on whatever happens to members and connections.
//!
//! Each watch is a stream of etcd's ([`stream`]) that a task follows ([`pump`]): it reads at once whatever comes, so that
//! no watch makes others on the same connection wait, and hands it to the reader through a [`queue`] that is bounded.
//! Progress marks come from one of two sources ([`progress`]): answers to requests, or a [`tail`].

mod progress;
mod pump;
mod queue;
mod stream;
mod tail;

use std::sync::Arc;

use orch_core::key::Prefix;
use orch_core::revision::Revision;
use orch_core::store::{StoreError, Watch};

pub(super) use self::progress::Progress;
use self::pump::Pump;
use super::Inner;

/// Opens a watch and starts the task that follows it.
pub(super) async fn watch(inner: &Arc<Inner>, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
    let (sender, reader) = queue::queue(inner.watch_buffer);
    let pump = Pump::new(Arc::clone(inner), prefix.clone(), after, sender);
    let stream = pump.open().await?;
    tokio::spawn(pump.run(stream));
    Ok(Watch::new(reader))
}
