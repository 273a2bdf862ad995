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

/// Measures and prints the time from commit to delivery.
pub fn print_latencies() {
    println!("\n| from commit to delivery | asked for | held | half within | 99 of 100 within | all within | goal |");
    println!("|---|---|---|---|---|---|---|");
    let etcd = block_on(Etcd::start());
    for watchers in WATCHERS {
        let rate = if watchers == 1_000 { 100.0 } else { 1_000.0 };
        let subjects = [
            Subject::Memory,
            Subject::Sharded,
            Subject::Buffered,
            Subject::Embedded,
            Subject::Etcd(&etcd),
            Subject::RawEtcd(&etcd),
        ];
        let load = Load { watchers, rate };
        let mut all = subjects.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            subjects.iter().zip(&mut all).for_each(|(subject, all)| all.push(load.put_on(*subject)));
        }
        subjects.iter().zip(&all).for_each(|(subject, all)| load.print(subject.name(), all, ""));
    }
    let load = Load { watchers: 1_000, rate: fastest(1_000) };
    let all: Vec<Delivered> = (0..ROUNDS).map(|_| load.put_on(Subject::Memory)).collect();
    let asked = format!("{} with 99 of 100 ≤ {}", per_second(GOAL.0), time(GOAL.1));
    load.print(Subject::Memory.name(), &all, &verdict(&asked, load.rate / GOAL.0));
}

/// The highest rate of some at which the store in memory keeps the goal's latency.
fn fastest(watchers: usize) -> f64 {
    const RATES: [f64; 9] = [500.0, 1e3, 2e3, 5e3, 10e3, 20e3, 50e3, 100e3, 200e3];
    let holds = |rate: &f64| {
        let load = Load { watchers, rate: *rate };
        let holds = || load.put_on(Subject::Memory).holds(load);
        // Most of three tries: others use the machine too.
        let (first, second) = (holds(), holds());
        if first == second { first } else { holds() }
    };
    RATES.into_iter().take_while(holds).last().unwrap_or(100.0)
}

/// Writes at a steady rate, to so many watchers of all.
#[derive(Clone, Copy, Debug)]
struct Load {
    watchers: usize,
    rate: f64,
}

/// What came of it.
#[derive(Clone, Debug)]
struct Delivered {
    latencies: Histogram,
    /// Writes a second that were delivered to all; 0 if a watcher was left behind.
    rate: f64,
}

impl Delivered {
    fn holds(&self, load: Load) -> bool {
        self.rate >= 0.95 * load.rate && self.latencies.quantile(0.99) <= GOAL.1
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
            let latencies = Arc::new(Mutex::new(Histogram::default()));
            let mut readers = Vec::new();
            for _ in 0..self.watchers {
                let watching = target.watch().await;
                readers.push(tokio::spawn(read(watching, Arc::clone(&commits), Arc::clone(&latencies))));
            }
            let began = commits.now();
            write(target, values, self.rate, &commits).await;
            let kept_up = match timeout(LAG, join_all(readers)).await {
                Ok(readers) => readers.into_iter().all(|kept_up| kept_up.expect("a watcher does not panic")),
                Err(_) => false,
            };
            let seconds = (commits.now() - began) as f64 / 1e9;
            let latencies = latencies.lock().expect("not poisoned").clone();
            Delivered { latencies, rate: if kept_up { self.writes() as f64 / seconds } else { 0.0 } }
        })
    }

    fn print(self, name: &str, all: &[Delivered], goal: &str) {
        let quantile = |share: f64| {
            let (least, middle, most) = spread(all.iter().map(|one| one.latencies.quantile(share)).collect());
            format!("{} ({}–{})", time(middle), time(least), time(most))
        };
        let held = spread(all.iter().map(|one| one.rate).collect()).1;
        println!(
            "| {name}, {} watcher{} | {} | {} | {} | {} | {} | {goal} |",
            self.watchers,
            if self.watchers == 1 { "" } else { "s" },
            per_second(self.rate),
            per_second(held),
            quantile(0.5),
            quantile(0.99),
            quantile(1.0)
        );
    }
}

/// When each write was acknowledged.
#[derive(Debug)]
struct Commits {
    began: Instant,
    before: Revision,
    /// In nanoseconds since `began`, by revision; 0 until it was.
    at: Vec<AtomicU64>,
}

impl Commits {
    fn new(before: Revision, writes: usize) -> Self {
        Self { began: Instant::now(), before, at: (0..writes).map(|_| AtomicU64::new(0)).collect() }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn of(&self, revision: Revision) -> &AtomicU64 {
        &self.at[(revision.0 - self.before.0 - 1) as usize]
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
            let revision = target.put(&key, value, Expect::Absent).await;
            commits.of(revision).store(commits.now(), Ordering::Relaxed);
        });
        let _ = poll!(under_way.next());
    }
    while under_way.next().await.is_some() {}
}

/// Reads until it has everything, and says whether it kept up. The time is read after all that could be had at once, so
/// that no latency is told too short. What comes before its writer was told that it was written took no time.
async fn read(mut watching: Watching, commits: Arc<Commits>, latencies: Arc<Mutex<Histogram>>) -> bool {
    let (mut seen, mut batch) = (0, Vec::new());
    while seen < commits.at.len() {
        if !poll_fn(|context| watching.poll(context, &mut batch)).await {
            return false;
        }
        let now = commits.now();
        let mut latencies = latencies.lock().expect("not poisoned");
        for revision in batch.drain(..) {
            seen += 1;
            let committed = commits.of(revision).load(Ordering::Relaxed);
            latencies.add(if committed == 0 { 0 } else { now.saturating_sub(committed) });
        }
    }
    true
}
