//! [`Desk`]: where requests are brought to the one task that has the jobs.

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::core::{Chronos, Output, Refused};

/// Where requests are brought to the one task that has the jobs.
#[derive(Clone, Debug)]
pub struct Desk {
    asked: mpsc::Sender<Asked>,
}

/// This process leads no longer, or not yet again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// What somebody asks for.
pub(super) enum Asked {
    /// To look at the jobs.
    Look(Box<dyn FnOnce(&Chronos) + Send>),
    /// To change something, which is answered when it is recorded.
    Change(Change, oneshot::Sender<Result<(), Refused>>),
}

/// A change that is asked for, at the time of which it is told.
pub(super) type Change = Box<dyn FnOnce(&mut Chronos, Timestamp) -> Result<Output, Refused> + Send>;

impl Desk {
    /// A desk, and where it is worked off.
    pub(super) fn open() -> (Self, mpsc::Receiver<Asked>) {
        let (asked, asking) = mpsc::channel(256);
        (Self { asked }, asking)
    }

    /// Looks at the jobs.
    ///
    /// # Errors
    /// [`Closed`]
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Chronos) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        let (seen, answer) = oneshot::channel();
        // Nobody waits for it any more, which is no fault.
        let look = Box::new(move |chronos: &Chronos| drop(seen.send(look(chronos))));
        self.asked.send(Asked::Look(look)).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }

    /// Changes something, and returns when it is recorded.
    ///
    /// # Errors
    /// [`Closed`], or why it is not done.
    pub async fn change(
        &self,
        change: impl FnOnce(&mut Chronos, Timestamp) -> Result<Output, Refused> + Send + 'static,
    ) -> Result<Result<(), Refused>, Closed> {
        let (done, answer) = oneshot::channel();
        self.asked.send(Asked::Change(Box::new(change), done)).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }
}
