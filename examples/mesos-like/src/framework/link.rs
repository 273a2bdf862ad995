//! [`Link`]: a [`Connection`] beside which one can do other things.

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Connection, ConnectionError};
use crate::wire::FrameworkInfo;
use crate::wire::scheduler::{Call, CallType, Event, EventType};

/// How many events may wait before the master's stream is read no further.
const MOST_WAITING: usize = 1_000;

/// A [`Connection`] that is driven beside whoever uses it: he is told the events, and is not held up by calls. It ends when
/// it is dropped.
#[derive(Debug)]
pub struct Link {
    events: mpsc::Receiver<Result<Event, ConnectionError>>,
    calls: mpsc::UnboundedSender<(CallType, Call)>,
    _driven: JoinSet<()>,
}

impl Link {
    /// A framework of one of these masters, each `host:port`.
    ///
    /// # Errors
    /// [`ConnectionError::NoMaster`] if there is none.
    pub fn open(masters: Vec<String>, info: FrameworkInfo) -> Result<Self, ConnectionError> {
        let connection = Connection::new(masters, info)?;
        let (told, events) = mpsc::channel(MOST_WAITING);
        let (calls, asked) = mpsc::unbounded_channel();
        let mut driven = JoinSet::new();
        driven.spawn(drive(connection, told, asked));
        Ok(Self { events, calls, _driven: driven })
    }

    /// The next event, heartbeats aside. Each `SUBSCRIBED` begins a connection anew. To stop waiting loses no event.
    ///
    /// # Errors
    /// [`ConnectionError::Ended`] if the master does not want the framework any more.
    pub async fn next(&mut self) -> Result<Event, ConnectionError> {
        match self.events.recv().await {
            Some(event) => event,
            None => Err(ConnectionError::Ended("it has ended before".to_owned())),
        }
    }

    /// Makes a call, in turn. What is asked while there is no connection is dropped: when there is one again, the framework
    /// asks what became of its tasks, and gets other offers.
    pub fn call(&self, kind: CallType, call: Call) {
        // Nobody takes it once the master has ended the subscription, as `next` says.
        drop(self.calls.send((kind, call)));
    }
}

async fn drive(
    mut connection: Connection,
    told: mpsc::Sender<Result<Event, ConnectionError>>,
    mut asked: mpsc::UnboundedReceiver<(CallType, Call)>,
) {
    loop {
        // To subscribe takes more than one step, and must not be begun again for each call.
        let event = if connection.is_subscribed() {
            tokio::select! {
                biased;
                call = asked.recv() => {
                    let Some((kind, call)) = call else { return };
                    if let Err(error) = connection.call(kind, call).await {
                        tracing::error!(?kind, %error, "the master refuses a call");
                    }
                    continue;
                }
                event = connection.next() => event,
            }
        } else {
            connection.next().await
        };
        if event.as_ref().is_ok_and(|event| event.r#type() == EventType::Subscribed) {
            while asked.try_recv().is_ok() {}
        }
        let is_over = event.is_err();
        if told.send(event).await.is_err() || is_over {
            return;
        }
    }
}
