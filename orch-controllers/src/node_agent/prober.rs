//! [`Prober`]: asks containers how they are, one task for each probe, and keeps what the answers amount to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use orch_core::key::Key;
use orch_core::runtime::{ExecOutput, PodUid, Runtime, RuntimeError};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use super::http;
use super::probe::{Inquiry, ProbeId, Question, Tally, Verdict};

/// Asks containers how they are, again and again, and keeps what the answers amount to. Dropped, it asks no more.
#[derive(Debug)]
pub(super) struct Prober {
    runtime: Arc<dyn Runtime>,
    table: Arc<Table>,
}

#[derive(Debug, Default)]
struct Table {
    probes: Mutex<BTreeMap<ProbeId, Running>>,
    /// Pods of which a verdict changed.
    changed: Mutex<BTreeSet<Key>>,
    wake: Notify,
}

#[derive(Debug)]
struct Running {
    verdict: Verdict,
    task: AbortHandle,
}

impl Prober {
    pub(super) fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self { runtime, table: Arc::default() }
    }

    /// What is known of the pod's containers: an entry for each probe that is under way.
    pub(super) fn verdicts(&self, pod: &PodUid) -> BTreeMap<ProbeId, Verdict> {
        let probes = lock(&self.table.probes);
        let of_pod = probes.iter().filter(|(id, _)| id.container.pod == *pod);
        of_pod.map(|(id, running)| (id.clone(), running.verdict.clone())).collect()
    }

    /// From now on, exactly these questions are put to the pod's containers. Those that were put before go on.
    pub(super) fn ask(&self, pod: &PodUid, key: &Key, inquiries: &[Inquiry]) {
        let mut probes = lock(&self.table.probes);
        probes.retain(|id, running| {
            let goes_on = id.container.pod != *pod || inquiries.iter().any(|inquiry| inquiry.id == *id);
            if !goes_on {
                running.task.abort();
            }
            goes_on
        });
        for inquiry in inquiries {
            probes.entry(inquiry.id.clone()).or_insert_with(|| {
                let task = ask(Arc::clone(&self.runtime), inquiry.clone(), key.clone(), Arc::clone(&self.table));
                Running { verdict: Verdict::Undecided, task: tokio::spawn(task).abort_handle() }
            });
        }
    }

    /// Nothing more is asked of the pod's containers.
    pub(super) fn forget(&self, pod: &PodUid) {
        lock(&self.table.probes).retain(|id, running| {
            if id.container.pod == *pod {
                running.task.abort();
            }
            id.container.pod != *pod
        });
    }

    /// The keys of pods of which a verdict changed, for ever.
    pub(super) fn changes(&self) -> BoxStream<'static, Key> {
        stream::unfold(Arc::clone(&self.table), |table| async move {
            loop {
                if let Some(key) = lock(&table.changed).pop_first() {
                    return Some((key, Arc::clone(&table)));
                }
                table.wake.notified().await;
            }
        })
        .boxed()
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        for running in lock(&self.table.probes).values() {
            running.task.abort();
        }
    }
}

async fn ask(runtime: Arc<dyn Runtime>, inquiry: Inquiry, key: Key, table: Arc<Table>) {
    let first = tokio::time::Instant::now() + inquiry.delay;
    let mut times = tokio::time::interval_at(first, inquiry.period);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tally = Tally::default();
    loop {
        times.tick().await;
        let Some(answer) = answer(&*runtime, &inquiry).await else { continue };
        let Some(verdict) = tally.count(answer, &inquiry) else { continue };
        tracing::debug!(container = %inquiry.id.container, probe = inquiry.id.kind.word(), ?verdict, "probed");
        if let Some(running) = lock(&table.probes).get_mut(&inquiry.id) {
            running.verdict = verdict;
        }
        lock(&table.changed).insert(key.clone());
        table.wake.notify_one();
    }
}

/// Whether the container says that it is well, and if not, why; `None` if it could not be asked through no fault of
/// its own, such as that it ended meanwhile.
pub(super) async fn answer(runtime: &dyn Runtime, inquiry: &Inquiry) -> Option<Result<(), String>> {
    let within = inquiry.timeout;
    let too_late = || format!("no answer within {} s", within.as_secs());
    match &inquiry.question {
        Question::Impossible(message) => Some(Err(message.clone())),
        Question::Exec(command) => exec_answer(runtime.exec(&inquiry.id.container, command, within).await),
        Question::Tcp { host, port } => {
            let connected = tokio::time::timeout(within, TcpStream::connect((host.as_str(), *port))).await;
            Some(match connected {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(format!("dial tcp {host}:{port}: {error}")),
                Err(_) => Err(format!("dial tcp {host}:{port}: {}", too_late())),
            })
        }
        Question::Http { host, port, path, headers } => {
            let answered = tokio::time::timeout(within, http::get(host, *port, path, headers)).await;
            Some(answered.unwrap_or_else(|_| Err(too_late())))
        }
    }
}

fn exec_answer(result: Result<ExecOutput, RuntimeError>) -> Option<Result<(), String>> {
    /// How much of a command's output is told.
    const OUTPUT_MAX: usize = 256;
    match result {
        Ok(ExecOutput { code: 0, .. }) => Some(Ok(())),
        Ok(output) => {
            let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
            let said = String::from_utf8_lossy(&said[..said.len().min(OUTPUT_MAX)]);
            Some(Err(format!("command exited with {}: {}", output.code, said.trim_end())))
        }
        Err(error @ (RuntimeError::TimedOut | RuntimeError::CommandNotFound { .. })) => Some(Err(error.to_string())),
        Err(_) => None,
    }
}

/// A panic while a lock is held leaves nothing half done: every critical section is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
