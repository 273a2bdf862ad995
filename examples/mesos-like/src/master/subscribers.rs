//! [`Subscribers`]: who is told of what happens.

use http::StatusCode;

use crate::http::{Answer, Outbox, Refusal, streamed};
use crate::wire::operator::{Event, EventType, GetState, Subscribed};
use crate::wire::{MediaType, record};

/// How many records may wait for a subscriber before it is given up.
const MOST_WAITING: usize = 4096;

/// Who is told of what happens. Nobody is waited for: who reads too slowly is cut off, and can subscribe again.
#[derive(Debug)]
pub struct Subscribers {
    all: Vec<Outbox>,
    most: usize,
    heartbeat_seconds: f64,
}

impl Subscribers {
    /// Nobody yet, and never more than `most`, who are told so often that the master is there.
    #[must_use]
    pub fn new(most: usize, heartbeat_seconds: f64) -> Self {
        Self { all: Vec::new(), most, heartbeat_seconds }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// One more, who is told first how all is now.
    ///
    /// # Errors
    /// A [`Refusal`] if there are too many.
    pub fn subscribe(&mut self, media: MediaType, state: GetState) -> Result<Answer, Refusal> {
        self.forget_those_who_left();
        if self.all.len() >= self.most {
            let reason = format!("There are {} subscribers, the most that there may be: try again later", self.most);
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason));
        }
        let (outbox, answer) = streamed(media, MOST_WAITING);
        let heartbeat_interval_seconds = Some(self.heartbeat_seconds);
        let subscribed = Some(Subscribed { get_state: Some(state), heartbeat_interval_seconds });
        let first = Event { r#type: Some(EventType::Subscribed.into()), subscribed, ..Event::default() };
        // There is room for the first records of a new stream.
        if outbox.send(&first).and_then(|()| outbox.send(&heartbeat())).is_ok() {
            self.all.push(outbox);
        }
        Ok(answer)
    }

    /// Tells everybody.
    pub fn tell(&mut self, event: &Event) {
        if self.all.is_empty() {
            return;
        }
        let (mut json, mut protobuf) = (None, None);
        self.all.retain(|outbox| {
            let media = outbox.media();
            let made = match media {
                MediaType::Json => &mut json,
                MediaType::Protobuf => &mut protobuf,
            };
            let made = made.get_or_insert_with(|| record(&media.encode(event)));
            outbox.send_record(made.clone()).is_ok()
        });
    }

    /// Tells everybody that the master is there.
    pub fn heartbeat(&mut self) {
        self.tell(&heartbeat());
    }

    fn forget_those_who_left(&mut self) {
        self.all.retain(|outbox| !outbox.has_left());
    }
}

fn heartbeat() -> Event {
    Event { r#type: Some(EventType::Heartbeat.into()), ..Event::default() }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::wire::RecordReader;
    use crate::wire::operator::AgentRemoved;

    fn removed(agent: &str) -> Event {
        let agent_removed = Some(AgentRemoved { agent_id: agent.into() });
        Event { r#type: Some(EventType::AgentRemoved.into()), agent_removed, ..Event::default() }
    }

    #[tokio::test]
    async fn each_subscriber_is_told_how_all_is_and_then_what_happens_in_its_own_form() {
        let mut subscribers = Subscribers::new(10, 15.0);
        for media in [MediaType::Json, MediaType::Protobuf] {
            let mut answer = subscribers.subscribe(media, GetState::default()).expect("room");
            subscribers.tell(&removed("M-S0"));
            let mut reader = RecordReader::new(1 << 20);
            let mut kinds = Vec::new();
            for _ in 0..3 {
                let frame = answer.body_mut().frame().await.expect("a record").expect("no error");
                reader.push(frame.data_ref().expect("data"));
                let event: Event =
                    media.decode(&reader.next_record().expect("a record").expect("whole"), "Event").expect("event");
                kinds.push(event.r#type());
            }
            assert_eq!(kinds, [EventType::Subscribed, EventType::Heartbeat, EventType::AgentRemoved]);
        }
    }

    #[tokio::test]
    async fn who_does_not_read_is_cut_off_and_who_left_makes_room() {
        let mut subscribers = Subscribers::new(2, 15.0);
        let asleep = subscribers.subscribe(MediaType::Json, GetState::default()).expect("room");
        let left = subscribers.subscribe(MediaType::Json, GetState::default()).expect("room");
        let refusal = subscribers.subscribe(MediaType::Json, GetState::default()).expect_err("no room");
        assert_eq!(refusal.status, StatusCode::SERVICE_UNAVAILABLE);
        drop(left);
        let next = subscribers.subscribe(MediaType::Json, GetState::default()).expect("room");
        drop(next);
        for _ in 0..MOST_WAITING {
            subscribers.tell(&removed("M-S0"));
        }
        assert_eq!(subscribers.count(), 0);
        // What it was told before, it can still read; then its stream ends.
        let told = asleep.into_body().collect().await.expect("no error").to_bytes();
        assert!(told.ends_with(b"}"));
    }
}
