//! [`Reader`]: a watch.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use orch_core::key::Prefix;
use orch_core::revision::Revision;
use orch_core::store::{PROGRESS_WITHIN, StoreError, WatchEvent};

use super::Mvcc;
use super::bell::Bell;

/// A watch: a place in the shared history, and the few events that were copied from there at one go.
///
/// A reader that is slow costs writers nothing; what it still has to read keeps its place until the history's end
/// passes over it, which it is then told. A reader with nothing to read sleeps until something happens under its
/// prefix, however much happens elsewhere. Only the first write elsewhere after it was last told where the store is
/// wakes it once, to set the timer for the next progress mark. So a store in which nothing happens wakes nobody.
#[derive(Debug)]
pub(super) struct Reader {
    mvcc: Arc<Mvcc>,
    prefix: Prefix,
    bell: Arc<Bell>,
    any_write: Arc<Bell>,
    /// The number of the next change among those under the prefix.
    next: u64,
    /// What the reader knows: the revision of the last event or progress mark, of those in `ready` too.
    told: Revision,
    ready: VecDeque<WatchEvent>,
    ended: bool,
}

/// What a reader who found no events can do.
enum Idle {
    /// Something was written elsewhere: tell so, but not for every write.
    Behind(Revision),
    /// Nothing to tell until the next write.
    Level,
}

impl Reader {
    /// A reader of what is under `prefix` after `after`.
    pub(super) fn subscribe(mvcc: Arc<Mvcc>, prefix: Prefix, after: Revision) -> Result<Self, StoreError> {
        let mut state = mvcc.write();
        let (bell, next) = state.history.subscribe(&prefix, after)?;
        let any_write = Arc::clone(&state.any_write);
        drop(state);
        Ok(Self { mvcc, prefix, bell, any_write, next, told: after, ready: VecDeque::new(), ended: false })
    }

    /// The next item of the watch.
    pub(super) async fn next(&mut self) -> Option<Result<WatchEvent, StoreError>> {
        if self.ended {
            return None;
        }
        if self.ready.is_empty()
            && let Err(error) = self.refill().await
        {
            self.ended = true;
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }

    /// Waits until there is something to tell.
    async fn refill(&mut self) -> Result<(), StoreError> {
        self.read(|_| ())?;
        while self.ready.is_empty() {
            self.wait().await?;
        }
        Ok(())
    }

    /// Waits for one occasion to look again, and looks.
    async fn wait(&mut self) -> Result<(), StoreError> {
        let (bell, any_write) = (Arc::clone(&self.bell), Arc::clone(&self.any_write));
        let mut rung = std::pin::pin!(bell.listen());
        let mut written = std::pin::pin!(any_write.listen());
        let idle = self.read(|idle| {
            bell.want(rung.as_mut());
            if let Idle::Level = idle {
                any_write.want(written.as_mut());
            }
        })?;
        match idle {
            None => return Ok(()),
            Some(Idle::Level) => {
                tokio::select! { biased; () = rung => {}, () = written => {} }
                return self.read(|_| ()).map(drop);
            }
            Some(Idle::Behind(_)) => {}
        }
        let pause: Duration = self.mvcc.progress_every.min(PROGRESS_WITHIN / 2);
        tokio::select! { biased; () = rung => {}, () = tokio::time::sleep(pause) => {} }
        if let Some(Idle::Behind(revision)) = self.read(|_| ())? {
            self.told = revision;
            self.ready.push_back(WatchEvent::Progress(revision));
        }
        Ok(())
    }

    /// Copies what comes next. If there is nothing, says what to do, after `prepare` did it under the lock.
    fn read(&mut self, prepare: impl FnOnce(&Idle)) -> Result<Option<Idle>, StoreError> {
        let state = self.mvcc.read();
        self.next = state.history.read(&self.prefix, self.next, self.told, &mut self.ready)?;
        if let Some(last) = self.ready.back() {
            self.told = last.revision();
            return Ok(None);
        }
        let revision = state.history.revision();
        let idle = if revision > self.told { Idle::Behind(revision) } else { Idle::Level };
        prepare(&idle);
        Ok(Some(idle))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.mvcc.write().history.unsubscribe(&self.prefix);
    }
}
