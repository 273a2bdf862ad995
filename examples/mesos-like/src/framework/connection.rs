//! [`Connection`]: a framework's connection to whichever master leads.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use orch_core::entropy::{Entropy as _, SeededEntropy};

use crate::http::{Client, ClientError, STREAM_ID, Stream};
use crate::wire::scheduler::{Call, CallType, Event, EventType, Subscribe};
use crate::wire::{FrameworkId, FrameworkInfo, MediaType};

/// Where frameworks call.
const PATH: &str = "/api/v1/scheduler";

/// How many heartbeats may be missed before a master is given up.
const MISSED_HEARTBEATS: u32 = 5;

/// A framework's connection to whichever master leads. When it breaks, or the master falls silent, it subscribes again
/// under the same id: the framework then sees another `SUBSCRIBED`, and should reconcile.
#[derive(Debug)]
pub struct Connection {
    masters: Vec<String>,
    info: FrameworkInfo,
    client: Client,
    entropy: SeededEntropy,
    current: Option<Subscription>,
    attempts: u32,
}

#[derive(Debug)]
struct Subscription {
    master: String,
    stream_id: HeaderValue,
    events: Stream,
    silence: Duration,
}

/// Why a connection is of no use any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// No master was named.
    #[error("no master is named: give at least one as host:port")]
    NoMaster,
    /// The master does not want the framework, and will not.
    #[error("the master has ended the framework's subscription: {0}")]
    Ended(String),
    /// The master refuses a call.
    #[error(transparent)]
    Call(#[from] ClientError),
}

impl Connection {
    /// A framework of one of these masters, each `host:port`. It subscribes when the first event is asked for.
    ///
    /// # Errors
    /// [`ConnectionError::NoMaster`] if there is none.
    pub fn new(masters: Vec<String>, info: FrameworkInfo) -> Result<Self, ConnectionError> {
        if masters.is_empty() {
            return Err(ConnectionError::NoMaster);
        }
        let (client, entropy) = (Client::default(), SeededEntropy::from_os());
        Ok(Self { masters, info, client, entropy, current: None, attempts: 0 })
    }

    /// The framework's id, when a master gave it one.
    #[must_use]
    pub fn id(&self) -> Option<&FrameworkId> {
        self.info.id.as_ref()
    }

    /// Whether there is a connection, as far as is known.
    #[must_use]
    pub fn is_subscribed(&self) -> bool {
        self.current.is_some()
    }

    /// The next event, heartbeats aside. To stop waiting loses no event.
    ///
    /// # Errors
    /// [`ConnectionError::Ended`] if the master says `ERROR`: it does not help to subscribe again.
    pub async fn next(&mut self) -> Result<Event, ConnectionError> {
        loop {
            let Some(subscription) = &mut self.current else {
                self.subscribe().await?;
                continue;
            };
            let event = match tokio::time::timeout(subscription.silence, subscription.events.next::<Event>()).await {
                Ok(Ok(Some(event))) => event,
                broken => {
                    let reason = match broken {
                        Ok(Ok(_)) => "it ended".to_owned(),
                        Ok(Err(error)) => error.to_string(),
                        Err(_) => format!("no heartbeat for {:?}", subscription.silence),
                    };
                    tracing::warn!(master = subscription.master, reason, "the subscription broke; subscribing again");
                    self.current = None;
                    continue;
                }
            };
            match event.r#type() {
                EventType::Heartbeat => {}
                EventType::Error => {
                    let message = event.error.map(|error| error.message).unwrap_or_default();
                    return Err(ConnectionError::Ended(message));
                }
                EventType::Subscribed => {
                    if let Some(subscribed) = &event.subscribed {
                        self.info.id = Some(subscribed.framework_id.clone());
                        let heartbeat = subscribed.heartbeat_interval_seconds.unwrap_or(15.0).clamp(0.1, 3600.0);
                        subscription.silence = Duration::from_secs_f64(heartbeat) * MISSED_HEARTBEATS;
                    }
                    self.attempts = 0;
                    return Ok(event);
                }
                _ => return Ok(event),
            }
        }
    }

    /// Makes a call; its framework id is filled in. One that comes to nothing because the connection is broken is no error:
    /// the next event is another `SUBSCRIBED` then, and whoever reconciles sees what became of it.
    ///
    /// # Errors
    /// [`ConnectionError::Call`] if the master refuses it.
    pub async fn call(&mut self, kind: CallType, mut call: Call) -> Result<(), ConnectionError> {
        let Some(subscription) = &self.current else { return Ok(()) };
        call.set_type(kind);
        call.framework_id.clone_from(&self.info.id);
        let mut headers = HeaderMap::new();
        headers.insert(STREAM_ID, subscription.stream_id.clone());
        match self.client.post(&subscription.master, PATH, MediaType::Protobuf, &headers, &call).await {
            Err(error @ ClientError::Refused { status: StatusCode::BAD_REQUEST, .. }) => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "a call came to nothing; subscribing again");
                self.current = None;
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Subscribes with the next of the masters, after a while that grows with every failure.
    async fn subscribe(&mut self) -> Result<(), ConnectionError> {
        if self.attempts > 0 {
            let longest = 100_u64 << self.attempts.min(6);
            tokio::time::sleep(Duration::from_millis(self.entropy.next_u64() % longest)).await;
        }
        let master = &self.masters[self.attempts as usize % self.masters.len()];
        self.attempts = self.attempts.saturating_add(1);
        let mut call = Call {
            framework_id: self.info.id.clone(),
            subscribe: Some(Subscribe { framework_info: self.info.clone(), suppressed_roles: Vec::new() }),
            ..Call::default()
        };
        call.set_type(CallType::Subscribe);
        match self.client.post(master, PATH, MediaType::Protobuf, &HeaderMap::new(), &call).await {
            Ok((master, response)) => {
                let Some(stream_id) = response.headers().get(STREAM_ID).cloned() else {
                    return Err(ConnectionError::Ended(format!("{master} gave no Mesos-Stream-Id: is it a master?")));
                };
                let (events, silence) = (Stream::of(response, MediaType::Protobuf), Duration::from_secs(75));
                self.current = Some(Subscription { master, stream_id, events, silence });
                Ok(())
            }
            // Who leads is not settled, or nobody is there: it may be otherwise soon.
            Err(ClientError::Refused { status, message, .. }) if status != StatusCode::SERVICE_UNAVAILABLE => {
                Err(ConnectionError::Ended(message))
            }
            Err(error) => {
                tracing::warn!(%error, "not subscribed yet; trying again");
                Ok(())
            }
        }
    }
}
