//! Telling watchers: what a delivery costs, and how long it takes at a steady rate of writes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::{join_all, poll_fn};
use futures::poll;
use futures::stream::{FuturesUnordered, StreamExt as _};
use orch_core::key::Key;
use orch_core::object::Pod;
use orch_core::revision::Revision;
use orch_core::store::{Expect, Value};
use orch_testkit::daemon::Etcd;
use tokio::runtime::Builder;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::latency::Histogram;
use super::subject::{Subject, Target, Watching, pods};
use crate::measure::{Cost, ROUNDS, Side, block_on, cost_async, in_turn, spread};
use crate::row::{Row, per_second, time, verdict};

/// Puts and deliveries on one thread, as fast as it can.
const WRITES: usize = 10_000;
const WATCHERS: [usize; 3] = [1, 100, 1_000];

/// The goal: so many writes a second to a thousand watchers, 99 of 100 deliveries within a millisecond.
const GOAL: (f64, f64) = (100_000.0, 1e6);

/// What is tried on the way to the goal, in writes a second.
const RATES: [f64; 7] = [1e3, 5e3, 10e3, 20e3, 30e3, 50e3, GOAL.0];

/// A group of a row for each number of watchers.
pub fn rows() -> impl Iterator<Item = Vec<Row>> {
    let row = |watchers: usize| {
        let writes = (WRITES * 100 / watchers).min(WRITES);
        let what = format!("put until {watchers} watchers have it, per delivery");
        let [memory, broadcast] = in_turn([
            Side::new("MemoryStore", move || deliveries(Subject::Memory, writes, watchers)),
            Side::new("tokio broadcast channel of pointers", move || broadcast(writes, watchers)),
        ]);
        vec![Row::of(&what, &memory, &broadcast)]
    };
    WATCHERS.into_iter().map(row)
}

fn deliveries(subject: Subject<'_>, writes: usize, watchers: usize) -> Cost {
    let written: Vec<(Key, Value)> = values(subject, writes);
    block_on(async {
        let opened = subject.open().await;
        let mut readers = Vec::new();
        for _ in 0..watchers {
            let mut watching = opened.target.watch().await;
            readers.push(tokio::spawn(async move {
                let (mut seen, mut batch) = (0, Vec::new());
                while seen < writes {
                    assert!(poll_fn(|context| watching.poll(context, &mut batch)).await, "history holds all of them");
                    seen += batch.drain(..).len();
                }
            }));
        }
        let run = async {
            for (index, (key, value)) in written.into_iter().enumerate() {
                opened.target.put(&key, value, Expect::Absent).await;
                if index % 64 == 0 {
                    yield_now().await;
                }
            }
            join_all(readers).await
        };
        cost_async(writes * watchers, run).await
    })
}

fn broadcast(writes: usize, watchers: usize) -> Cost {
    let pods: Vec<(Key, Arc<Pod>)> = pods("new", writes).map(|(key, pod)| (key, Arc::new(pod))).collect();
    block_on(async {
        let (sender, _) = tokio::sync::broadcast::channel(writes);
        let readers = (0..watchers).map(|_| {
            let mut receiver = sender.subscribe();
            tokio::spawn(async move {
                for _ in 0..writes {
                    let _: (Key, Arc<Pod>) = receiver.recv().await.expect("the channel has room for all");
                }
            })
        });
        let readers: Vec<_> = readers.collect();
        let run = async {
            for (index, (key, pod)) in pods.into_iter().enumerate() {
                sender.send((key, pod)).expect("somebody listens");
                if index % 64 == 0 {
                    yield_now().await;
                }
            }
            join_all(readers).await
        };
        cost_async(writes * watchers, run).await
    })
}

fn values(subject: Subject<'_>, writes: usize) -> Vec<(Key, Value)> {
    pods("new", writes).map(|(key, pod)| (key, subject.value(&pod))).collect()
}

/// Measures and prints how long deliveries take.
pub fn print_latencies() {
    println!("\n| {WATCHING_HEAD} |\n|---|---|---|---|---|---|---|---|");
    let etcd = block_on(Etcd::start());
    for watchers in WATCHERS {
        let load = Load { watchers, rate: if watchers == 1_000 { 100.0 } else { 1_000.0 } };
        let subjects = [
            Subject::Memory,
            Subject::Sharded,
            Subject::Buffered,
            Subject::Embedded,
            Subject::Etcd(&etcd),
            Subject::RawEtcd(&etcd),
        ];
        let mut all = subjects.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            subjects.iter().zip(&mut all).for_each(|(subject, all)| all.push(load.put_on(*subject)));
        }
        subjects.iter().zip(&all).for_each(|(subject, all)| load.print(subject.name(), all, ""));
    }
    let mut fastest: f64 = 0.0;
    for rate in RATES {
        let load = Load { watchers: 1_000, rate };
        let all: Vec<Delivered> = (0..ROUNDS).map(|_| load.put_on(Subject::Memory)).collect();
        // A measurement is disturbed by what else the machine does, hence most of them.
        if all.iter().filter(|delivered| delivered.holds(load)).count() > ROUNDS / 2 {
            fastest = fastest.max(rate);
        }
        let asked = format!("99 of 100 within {} of the commit, at {}", time(GOAL.1), per_second(GOAL.0));
        let goal = if rate < GOAL.0 { String::new() } else { verdict(&asked, fastest / GOAL.0) };
        load.print(Subject::Memory.name(), &all, &goal);
    }
}

const WATCHING_HEAD: &str = "\
told at a steady rate | writes asked for | told to all | half within, since the call | 99 of 100 | half within, since the commit | 99 of 100 | goal";

/// Writes at a steady rate, to so many watchers of all.
#[derive(Clone, Copy, Debug)]
struct Load {
    watchers: usize,
    rate: f64,
}

/// What came of it.
#[derive(Clone, Debug)]
struct Delivered {
    latencies: Latencies,
    /// Writes a second that were delivered to all; 0 if a watcher was left behind.
    rate: f64,
}

#[derive(Clone, Debug, Default)]
struct Latencies {
    /// Since the write was asked for.
    call: Histogram,
    /// Since the writer was told that it happened.
    commit: Histogram,
}

impl Delivered {
    fn holds(&self, load: Load) -> bool {
        self.rate >= 0.95 * load.rate && self.latencies.commit.quantile(0.99) <= GOAL.1
    }
}

/// How long one measurement takes.
const SECONDS: f64 = 0.5;
/// How long watchers may lag before they count as left behind.
const LAG: Duration = Duration::from_secs(3);

impl Load {
    fn writes(self) -> usize {
        (self.rate * SECONDS) as usize
    }

    /// The writer has a thread; the watchers and the connection, if there is one, have another.
    fn put_on(self, subject: Subject<'_>) -> Delivered {
        let mut values = values(subject, self.writes() + 1);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let opened = subject.open().await;
            let target = &opened.target;
            let (key, value) = values.pop().expect("one more");
            let before = target.put(&key, value, Expect::Absent).await;
            let commits = Arc::new(Commits::new(before, self.writes()));
            let mut readers = Vec::new();
            for _ in 0..self.watchers {
                let watching = target.watch().await;
                readers.push(tokio::spawn(read(watching, Arc::clone(&commits))));
            }
            let began = commits.now();
            write(target, values, self.rate, &commits).await;
            let kept_up = match timeout(LAG, join_all(readers)).await {
                Ok(readers) => readers.into_iter().all(|kept_up| kept_up.expect("a watcher does not panic")),
                Err(_) => false,
            };
            let seconds = (commits.now() - began) as f64 / 1e9;
            Delivered {
                latencies: commits.latencies(),
                rate: if kept_up { self.writes() as f64 / seconds } else { 0.0 },
            }
        })
    }

    fn print(self, name: &str, all: &[Delivered], goal: &str) {
        let quantile = |share: f64, of: fn(&Latencies) -> &Histogram| {
            let (least, middle, most) = spread(all.iter().map(|one| of(&one.latencies).quantile(share)).collect());
            format!("{} ({}–{})", time(middle), time(least), time(most))
        };
        println!(
            "| {name}, {} watcher{} | {} | {} | {} | {} | {} | {} | {goal} |",
            self.watchers,
            if self.watchers == 1 { "" } else { "s" },
            per_second(self.rate),
            per_second(spread(all.iter().map(|one| one.rate).collect()).1),
            quantile(0.5, |latencies| &latencies.call),
            quantile(0.99, |latencies| &latencies.call),
            quantile(0.5, |latencies| &latencies.commit),
            quantile(0.99, |latencies| &latencies.commit),
        );
    }
}

/// When each write was asked for and acknowledged, and how long after that it was delivered.
#[derive(Debug)]
struct Commits {
    began: Instant,
    before: Revision,
    /// By revision.
    writes: Vec<Acknowledged>,
    latencies: Mutex<Latencies>,
    /// Deliveries, and when, of writes of which the writer had not been told yet.
    early: Mutex<Vec<(Revision, u64)>>,
}

/// In nanoseconds since `began`.
#[derive(Debug, Default)]
struct Acknowledged {
    called: AtomicU64,
    /// 0 until it was.
    committed: AtomicU64,
}

impl Commits {
    fn new(before: Revision, writes: usize) -> Self {
        Self {
            began: Instant::now(),
            before,
            writes: (0..writes).map(|_| Acknowledged::default()).collect(),
            latencies: Mutex::default(),
            early: Mutex::default(),
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn of(&self, revision: Revision) -> &Acknowledged {
        &self.writes[(revision.0 - self.before.0 - 1) as usize]
    }

    fn acknowledge(&self, revision: Revision, called: u64) {
        let write = self.of(revision);
        write.called.store(called, Ordering::Relaxed);
        write.committed.store(self.now(), Ordering::Release);
    }

    fn deliver(&self, revisions: impl Iterator<Item = Revision>) {
        let now = self.now();
        let mut latencies = self.latencies.lock().expect("not poisoned");
        for revision in revisions {
            let write = self.of(revision);
            match write.committed.load(Ordering::Acquire) {
                0 => self.early.lock().expect("not poisoned").push((revision, now)),
                committed => {
                    latencies.commit.add(now.saturating_sub(committed));
                    latencies.call.add(now.saturating_sub(write.called.load(Ordering::Relaxed)));
                }
            }
        }
    }

    /// All latencies, when all is written. What came before its writer was told took no time since then.
    fn latencies(&self) -> Latencies {
        let mut latencies = self.latencies.lock().expect("not poisoned").clone();
        for (revision, at) in self.early.lock().expect("not poisoned").drain(..) {
            latencies.commit.add(0);
            latencies.call.add(at.saturating_sub(self.of(revision).called.load(Ordering::Relaxed)));
        }
        latencies
    }
}

/// Writes each value when it is due, whether or not those before are done.
async fn write(target: &Target, values: Vec<(Key, Value)>, rate: f64, commits: &Commits) {
    let (began, mut under_way) = (Instant::now(), FuturesUnordered::new());
    for (index, (key, value)) in values.into_iter().enumerate() {
        let due = began + Duration::from_secs_f64(index as f64 / rate);
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if rate <= 1_000.0 {
                tokio::select! { biased; Some(()) = under_way.next() => {}, () = sleep(left) => {} }
            } else {
                // No timer is so fine.
                let _ = poll!(under_way.next());
                std::hint::spin_loop();
            }
        }
        under_way.push(async move {
            let called = commits.now();
            let revision = target.put(&key, value, Expect::Absent).await;
            commits.acknowledge(revision, called);
        });
        let _ = poll!(under_way.next());
    }
    while under_way.next().await.is_some() {}
}

/// Reads until it has everything, and says whether it kept up. The time is read after all that could be had at once, so
/// that no latency is told too short.
async fn read(mut watching: Watching, commits: Arc<Commits>) -> bool {
    let (mut seen, mut batch) = (0, Vec::new());
    while seen < commits.writes.len() {
        if !poll_fn(|context| watching.poll(context, &mut batch)).await {
            return false;
        }
        seen += batch.len();
        commits.deliver(batch.drain(..));
    }
    true
}
