//! [`Prober`]: asks containers how they are, one task for each probe, and keeps what the answers amount to.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::BoxStream;
use orch_core::key::Key;
use orch_core::runtime::{PodUid, Runtime};
use tokio::time::MissedTickBehavior;

use super::background::{Background, Teller};
use super::probe::{Inquiry, ProbeId, Tally, Verdict};
use super::question::Answer;
use super::troubles::{Subject, Trouble, Troubles};

/// Asks containers how they are, again and again, and keeps what the answers amount to. Dropped, it asks no more.
#[derive(Debug)]
pub(super) struct Prober {
    runtime: Arc<dyn Runtime>,
    troubles: Arc<Troubles>,
    probes: Background<ProbeId, Verdict>,
}

impl Prober {
    pub(super) fn new(runtime: Arc<dyn Runtime>, troubles: Arc<Troubles>) -> Self {
        Self { runtime, troubles, probes: Background::new() }
    }

    /// What is known of the pod's containers: an entry for each probe that is under way.
    pub(super) fn verdicts(&self, pod: &PodUid) -> BTreeMap<ProbeId, Verdict> {
        self.probes.states(pod)
    }

    /// From now on, exactly these questions are put to the pod's containers. Those that were put before go on.
    pub(super) fn ask(&self, pod: &PodUid, key: &Key, inquiries: &[Inquiry]) {
        self.probes.retain(pod, |id, _| inquiries.iter().any(|inquiry| inquiry.id == *id));
        for inquiry in inquiries {
            let (runtime, troubles) = (Arc::clone(&self.runtime), Arc::clone(&self.troubles));
            self.probes
                .begin(&inquiry.id, key, Verdict::Undecided, |teller| ask(runtime, troubles, inquiry.clone(), teller));
        }
    }

    /// Nothing more is asked of the pod's containers.
    pub(super) fn forget(&self, pod: &PodUid) {
        self.probes.retain(pod, |_, _| false);
    }

    /// The keys of pods of which a verdict changed, for ever.
    pub(super) fn changes(&self) -> BoxStream<'static, Key> {
        self.probes.news()
    }
}

async fn ask(runtime: Arc<dyn Runtime>, troubles: Arc<Troubles>, inquiry: Inquiry, teller: Teller<ProbeId, Verdict>) {
    let first = tokio::time::Instant::now() + inquiry.delay;
    let mut times = tokio::time::interval_at(first, inquiry.period);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tally = Tally::default();
    loop {
        times.tick().await;
        let answer = match inquiry.question.put(&*runtime, &inquiry.id.container, inquiry.timeout).await {
            Answer::Good => Ok(()),
            Answer::Bad(message) => Err(message),
            Answer::None(_) => continue,
        };
        let Some(verdict) = tally.count(answer, &inquiry) else { continue };
        tracing::debug!(container = %inquiry.id.container, probe = inquiry.id.kind.word(), ?verdict, "probed");
        if let Verdict::Failure(message) = &verdict {
            let message = format!("{} probe failed: {message}", inquiry.id.kind.capitalized());
            let pod = &inquiry.id.container.pod;
            troubles.add(pod, Subject::Probe(inquiry.id.clone()), Trouble::new("Unhealthy", message));
        }
        teller.tell(verdict);
    }
}
