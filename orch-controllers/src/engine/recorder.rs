//! [`EventRecorder`]: writes reports as Events.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use orch_core::client::{Client, ClientError, Precondition};
use orch_core::controller::{EventType as ReportType, Report};
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::{Event, EventSource, EventType, ObjectMeta, ObjectReference, Uid};
use orch_core::store::StoreExt as _;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::runner::is_set;
use crate::name_hash;

/// How many reports may wait to be written.
const WAITING: usize = 1_024;
/// How many objects' and events' counters are kept.
const REMEMBERED: usize = 4_096;
/// How many reports about one object are written at once, and how often one more.
const BURST: u32 = 25;
const REFILL: Duration = Duration::from_secs(10);
/// Where events about objects without a namespace live.
const DEFAULT_NAMESPACE: &str = "default";
/// So much of the object's name is in the event's name, which has at most 253 bytes.
const NAME_PART: usize = 200;

/// Writes reports as Events, as well as it can: a report is dropped where too many wait or the store refuses it, and
/// reporting never waits.
///
/// The same report about the same object is one Event whose `count` and `lastTimestamp` grow: its name follows from what
/// it says. About one object at most 25 reports are written at once and one every ten seconds from then on; repetitions
/// that were held back are counted in the next that is written.
#[derive(Clone, Debug)]
pub(crate) struct EventRecorder {
    reports: mpsc::Sender<(&'static str, Report)>,
}

impl EventRecorder {
    /// A recorder, and what writes for it until `drain` is set and all that waits is written.
    pub(crate) fn new(client: Client, drain: watch::Receiver<bool>) -> (Self, impl Future<Output = ()>) {
        let (reports, waiting) = mpsc::channel(WAITING);
        let writer = Writer { client, objects: BTreeMap::new(), held_back: BTreeMap::new() };
        (Self { reports }, writer.run(waiting, drain))
    }

    /// Reports on behalf of `component`. Whether there was room for it.
    pub(crate) fn record(&self, component: &'static str, report: Report) -> bool {
        self.reports.try_send((component, report)).is_ok()
    }
}

struct Writer {
    client: Client,
    objects: BTreeMap<Uid, Allowance>,
    held_back: BTreeMap<Key, i32>,
}

/// How much may still be written about an object: a token bucket.
struct Allowance {
    tokens: u32,
    refilled: Instant,
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let refills = now.duration_since(self.refilled).as_secs() / REFILL.as_secs();
        if refills > 0 {
            self.tokens = self.tokens.saturating_add(u32::try_from(refills).unwrap_or(u32::MAX)).min(BURST);
            self.refilled = now;
        }
        let some = self.tokens > 0;
        self.tokens -= u32::from(some);
        some
    }
}

impl Writer {
    async fn run(mut self, mut waiting: mpsc::Receiver<(&'static str, Report)>, mut drain: watch::Receiver<bool>) {
        loop {
            let next = tokio::select! {
                biased;
                next = waiting.recv() => next,
                () = is_set(&mut drain) => {
                    waiting.close();
                    waiting.recv().await
                }
            };
            let Some((component, report)) = next else { return };
            self.write(component, &report).await;
        }
    }

    async fn write(&mut self, component: &'static str, report: &Report) {
        let key = match event_key(component, report) {
            Ok(key) => key,
            Err(error) => return tracing::debug!(component, reason = report.reason, "no event: {error}"),
        };
        let now = Instant::now();
        if self.objects.len() >= REMEMBERED && !self.objects.contains_key(&report.uid) {
            // Forgetting is harmless: everybody gets a new allowance.
            self.objects.clear();
        }
        let full = Allowance { tokens: BURST, refilled: now };
        if !self.objects.entry(report.uid.clone()).or_insert(full).take(now) {
            if self.held_back.len() < REMEMBERED {
                *self.held_back.entry(key).or_default() += 1;
            }
            return;
        }
        let times = self.held_back.remove(&key).unwrap_or(0).saturating_add(1);
        let mut result = self.count(component, report, &key, times).await;
        if result.as_ref().is_err_and(ClientError::is_conflict) {
            result = self.count(component, report, &key, times).await;
        }
        if let Err(error) = result {
            tracing::debug!(component, event = %key, message = report.message, "an event is lost: {error}");
        }
    }

    /// Counts so many more repetitions of the report.
    async fn count(&self, component: &'static str, report: &Report, key: &Key, times: i32) -> Result<(), ClientError> {
        let now = self.client.clock().now().into();
        let Some(before) = self.client.store().get_as::<Event>(key).await? else {
            let mut event = event(component, report, key);
            (event.count, event.first_timestamp, event.last_timestamp) = (Some(times), Some(now), Some(now));
            return self.client.create(event).await.map(drop);
        };
        let mut event = Event::clone(&before);
        event.count = Some(event.count.unwrap_or(1).saturating_add(times));
        event.last_timestamp = Some(now);
        self.client.update(event, Precondition::of(&*before)?).await.map(drop)
    }
}

fn event(component: &'static str, report: &Report, key: &Key) -> Event {
    Event {
        metadata: ObjectMeta {
            name: key.name().to_owned(),
            namespace: key.namespace().map(str::to_owned),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(report.kind.api_version.to_owned()),
            kind: Some(report.kind.name.to_owned()),
            namespace: report.key.namespace().map(str::to_owned),
            name: Some(report.key.name().to_owned()),
            uid: Some(report.uid.clone()),
            ..ObjectReference::default()
        },
        reason: Some(report.reason.to_owned()),
        message: Some(report.message.clone()),
        source: EventSource { component: Some(component.to_owned()), host: None },
        r#type: Some(match report.event_type {
            ReportType::Normal => EventType::Normal,
            ReportType::Warning => EventType::Warning,
        }),
        reporting_component: Some(component.to_owned()),
        ..Event::default()
    }
}

/// The address of the one event that says this: the object's name, and a hash of what is said about it by whom.
fn event_key(component: &str, report: &Report) -> Result<Key, orch_core::key::KeyError> {
    let said = [component, report.uid.as_str(), report.reason, &report.message].map(str::as_bytes);
    let name = report.key.name();
    let mut text = name[..name.len().min(NAME_PART)].trim_end_matches(['.', '-']).to_owned();
    // Writing to a String does not fail.
    let _ = write!(text, ".{:016x}", name_hash::hash(&said));
    Key::new(&Event::KIND, Some(report.key.namespace().unwrap_or(DEFAULT_NAMESPACE)), &text)
}
