//! [`Watch`]: the changes of a store as a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};

use super::{Entry, StoreError};
use crate::key::Key;
use crate::revision::Revision;

/// The changes under a prefix, in order, for ever; see the promises E1 to E8 of [`Store`](super::Store).
///
/// An error is the last item. Resume with a new watch after the revision of the last event that came.
pub struct Watch(BoxStream<'static, Result<WatchEvent, StoreError>>);

impl Watch {
    /// A watch that yields what `stream` yields. After its end it may be polled again, whatever the stream allows.
    pub fn new(stream: impl Stream<Item = Result<WatchEvent, StoreError>> + Send + 'static) -> Self {
        Self(stream.fuse().boxed())
    }
}

impl Stream for Watch {
    type Item = Result<WatchEvent, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// One change.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// An object was created or changed.
    Put {
        /// The object as it is since.
        entry: Entry,
        /// The object as it was, if there was one and it is still known.
        previous: Option<Entry>,
    },
    /// An object was deleted.
    Delete {
        /// Which.
        key: Key,
        /// The revision of the deletion.
        revision: Revision,
        /// The object as it was, if it is still known.
        previous: Option<Entry>,
    },
    /// Nothing changed, but all changes up to this revision were delivered.
    Progress(Revision),
}

impl WatchEvent {
    /// Where in the order of writes this event stands.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::Put { entry, .. } => entry.revision,
            Self::Delete { revision, .. } | Self::Progress(revision) => *revision,
        }
    }
}
