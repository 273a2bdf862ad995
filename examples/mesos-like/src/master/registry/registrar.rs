//! [`Registry`]: writes down what must outlive this master, in turn and in the back.

use std::sync::Arc;

use orch_core::store::{Check, Transact};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::plan::wanted;
use super::{Registered, RegistryChange, RegistryError, load};
use crate::fenced::{FencedWriter, MOST_AT_ONCE};

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
        writing.spawn(write(FencedWriter::new(store, claim, known), asked));
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

async fn write(mut writer: FencedWriter, mut asked: mpsc::UnboundedReceiver<Request>) {
    while let Some(first) = asked.recv().await {
        let (mut changes, mut waiting, mut records) = (Vec::new(), Vec::new(), 0);
        let mut next = Some(first);
        // What came while the last write was under way is written together.
        while let Some(request) = next.take() {
            match wanted(&request.changes, writer.known()) {
                Ok(more) => {
                    records += more.len();
                    changes.extend(request.changes);
                    waiting.push(request.done);
                }
                Err(error) => drop(request.done.send(Err(error))),
            }
            if records < MOST_AT_ONCE {
                next = asked.try_recv().ok();
            }
        }
        let result = match wanted(&changes, writer.known()) {
            Ok(wanted) => writer.write(wanted).await.map_err(RegistryError::from),
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
