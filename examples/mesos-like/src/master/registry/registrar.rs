//! [`Registry`]: writes down what must outlive this master, in turn and in the back.

use std::sync::Arc;
use std::time::Duration;

use orch_core::store::{Check, StoreError, Transact};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::plan::{Known, Wanted, wanted, writes};
use super::{Registered, RegistryChange, RegistryError, load};

/// How many records are written at once: etcd takes 128 checks and writes.
const MOST_WRITES: usize = 100;

/// Before a write is tried again that the store did not answer.
const PAUSE: Duration = Duration::from_millis(200);

/// Writes down what must outlive this master, in the order in which it is told. It writes only as long as this master leads:
/// every write depends on the claim by which it does. It ends when it is dropped.
#[derive(Debug)]
pub struct Registry {
    requests: mpsc::UnboundedSender<Request>,
    _writing: JoinSet<()>,
}

#[derive(Debug)]
struct Request {
    changes: Vec<RegistryChange>,
    done: oneshot::Sender<Result<(), RegistryError>>,
}

impl Registry {
    /// Reads all that is recorded, and writes from now on, as long as `claim` holds.
    ///
    /// # Errors
    /// [`RegistryError`] if it cannot be read.
    pub async fn open(store: Arc<dyn Transact>, claim: Check) -> Result<(Self, Registered), RegistryError> {
        let (registered, known) = load::load(&*store).await?;
        let (requests, asked) = mpsc::unbounded_channel();
        let mut writing = JoinSet::new();
        writing.spawn(Writer { store, claim, known }.run(asked));
        Ok((Self { requests, _writing: writing }, registered))
    }

    /// Records changes, and returns when they are recorded. A change of several records is made at once, if these are not
    /// more than a hundred. To stop waiting does not take the changes back.
    ///
    /// # Errors
    /// [`RegistryError::Lost`] if this master leads no longer; [`RegistryError::Name`].
    pub fn record(
        &self,
        changes: Vec<RegistryChange>,
    ) -> impl Future<Output = Result<(), RegistryError>> + Send + use<> {
        let (done, answer) = oneshot::channel();
        let asked = self.requests.send(Request { changes, done });
        async move {
            match asked {
                Ok(()) => answer.await.unwrap_or(Err(RegistryError::Lost)),
                Err(_) => Err(RegistryError::Lost),
            }
        }
    }
}

struct Writer {
    store: Arc<dyn Transact>,
    claim: Check,
    known: Known,
}

impl Writer {
    async fn run(mut self, mut asked: mpsc::UnboundedReceiver<Request>) {
        while let Some(first) = asked.recv().await {
            let (mut changes, mut waiting, mut records) = (Vec::new(), Vec::new(), 0);
            let mut next = Some(first);
            // What came while the last write was under way is written together.
            while let Some(request) = next.take() {
                match wanted(&request.changes, &self.known) {
                    Ok(more) => {
                        records += more.len();
                        changes.extend(request.changes);
                        waiting.push(request.done);
                    }
                    Err(error) => drop(request.done.send(Err(error))),
                }
                if records < MOST_WRITES {
                    next = asked.try_recv().ok();
                }
            }
            let result = match wanted(&changes, &self.known) {
                Ok(wanted) => self.write(wanted).await,
                Err(error) => Err(error),
            };
            for done in waiting {
                // Nobody waits for it any more, which is no fault.
                drop(done.send(result.clone()));
            }
            if result.is_err() {
                return;
            }
        }
    }

    async fn write(&mut self, mut wanted: Wanted) -> Result<(), RegistryError> {
        while !wanted.is_empty() {
            let rest = match wanted.keys().nth(MOST_WRITES).cloned() {
                Some(from) => wanted.split_off(&from),
                None => Wanted::new(),
            };
            self.write_at_once(&wanted).await?;
            wanted = rest;
        }
        Ok(())
    }

    async fn write_at_once(&mut self, wanted: &Wanted) -> Result<(), RegistryError> {
        loop {
            let writes = writes(wanted, &self.known);
            if writes.is_empty() {
                return Ok(());
            }
            match self.store.commit(std::slice::from_ref(&self.claim), writes).await {
                Ok(revision) => {
                    for (key, value) in wanted {
                        match value {
                            Some(_) => drop(self.known.insert(key.clone(), revision)),
                            None => drop(self.known.remove(key)),
                        }
                    }
                    return Ok(());
                }
                Err(StoreError::Conflict { key, .. }) if key == self.claim.key => return Err(RegistryError::Lost),
                // A write whose answer was lost has happened after all.
                Err(StoreError::Conflict { .. }) => self.look_again(wanted).await,
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "what must outlive this master cannot be written down yet");
                    sleep(PAUSE).await;
                    self.look_again(wanted).await;
                }
                Err(error) => return Err(RegistryError::of(error)),
            }
        }
    }

    /// When the records were really written.
    async fn look_again(&mut self, wanted: &Wanted) {
        for key in wanted.keys() {
            match self.store.get(key).await {
                Ok(Some(entry)) => drop(self.known.insert(key.clone(), entry.revision)),
                Ok(None) => drop(self.known.remove(key)),
                // The write that follows says what is wrong.
                Err(error) => return tracing::debug!(%error, %key, "cannot be read"),
            }
        }
    }
}
