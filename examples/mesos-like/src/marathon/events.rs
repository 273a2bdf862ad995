//! [`Events`]: those who listen to what happens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::http::Answer;

/// How many events may wait for somebody who reads slowly, before he is given up.
const MOST_WAITING: usize = 5_000;

/// How long a stream is silent at most.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Those who listen to what happens.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Mutex<Vec<Listener>>>);

#[derive(Debug)]
struct Listener {
    /// The types of events that are wanted; all if there are none.
    kinds: Vec<String>,
    /// Who it is.
    peer: String,
    sender: mpsc::Sender<Bytes>,
}

impl Events {
    /// Tells all who listen. Whoever has left, or reads too slowly, is forgotten.
    pub fn tell(&self, kind: &str, event: &Value) {
        let text = record(kind, event);
        let mut left = Vec::new();
        self.listeners().retain(|listener| {
            let is_wanted = listener.kinds.is_empty() || listener.kinds.iter().any(|wanted| wanted == kind);
            let stays = !listener.sender.is_closed() && (!is_wanted || listener.sender.try_send(text.clone()).is_ok());
            if !stays {
                left.push(listener.peer.clone());
            }
            stays
        });
        for peer in left {
            self.tell("event_stream_detached", &stamped("event_stream_detached", &peer, event));
        }
    }

    /// A stream of what happens from now on: only events of these types, or all. It begins with its own being attached.
    #[must_use]
    pub fn listen(&self, kinds: Vec<String>, peer: &str, now: &str) -> Answer {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        let kind = "event_stream_attached";
        let attached = json!({ "eventType": kind, "remoteAddress": peer, "timestamp": now });
        let is_wanted = kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind);
        self.tell(kind, &attached);
        if is_wanted {
            // There is room for the first one.
            drop(sender.try_send(record(kind, &attached)));
        }
        self.listeners().push(Listener { kinds, peer: peer.to_owned(), sender });
        let frames = stream::unfold(receiver, |mut receiver| async {
            let bytes = match timeout(KEEP_ALIVE, receiver.recv()).await {
                Ok(event) => event?,
                Err(_) => Bytes::from_static(b"\r\n"),
            };
            Some((Ok(Frame::data(bytes)), receiver))
        });
        let mut answer = Response::new(StreamBody::new(frames).boxed_unsync());
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        answer
    }

    fn listeners(&self) -> std::sync::MutexGuard<'_, Vec<Listener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn record(kind: &str, event: &Value) -> Bytes {
    Bytes::from(format!("event: {kind}\r\ndata: {event}\r\n\r\n"))
}

fn stamped(kind: &str, peer: &str, because: &Value) -> Value {
    json!({ "eventType": kind, "remoteAddress": peer, "timestamp": because["timestamp"] })
}
