//! Reading: one object, many, and some of many.

use std::cell::{LazyCell, RefCell};

use futures::future::join_all;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::Pod;
use orch_core::store::Expect;
use orch_testkit::daemon::Etcd;
use tokio::runtime::Runtime;

use super::subject::{Opened, Subject, Target, pods};
use crate::measure::{Cost, Side, block_on, cost_with_server, in_turn};
use crate::row::{Goal, Row};

/// As in the goal for a snapshot.
const SNAPSHOT: usize = 100_000;
/// As in the published figure of Kubernetes' watch cache, which takes 499 ms to filter them.
const FILTERED: usize = 300_000;
/// How many writers fill a store.
const FILLERS: usize = 200;

/// A group of rows for each kind of read.
pub fn rows() -> impl Iterator<Item = Vec<Row>> {
    let groups: [fn(&Etcd) -> Vec<Row>; 3] = [snapshots, gets, |_| filtered()];
    // Started when the first group is asked for.
    let etcd = LazyCell::new(|| block_on(Etcd::start()));
    groups.into_iter().map(move |rows| rows(&etcd))
}

/// A store with so many pods in it.
struct Full {
    runtime: Runtime,
    opened: Opened,
}

impl Full {
    fn new(subject: Subject<'_>, count: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let opened = runtime.block_on(async {
            let opened = subject.open().await;
            fill(subject, &opened.target, count).await;
            opened
        });
        Self { runtime, opened }
    }

    fn list(&self, prefix: &Prefix, expected: usize, times: usize) -> Cost {
        let target = &self.opened.target;
        self.runtime.block_on(async {
            let run = async {
                let mut kept = None;
                for _ in 0..times {
                    let listed = target.list(prefix).await;
                    assert_eq!(listed.len(), expected);
                    // What was listed last is dropped after the measurement.
                    kept = Some(listed);
                }
                kept
            };
            cost_with_server(self.opened.server, times, run).await
        })
    }
}

/// Puts so many pods there, by many writers.
pub async fn fill(subject: Subject<'_>, target: &Target, count: usize) {
    let pods = RefCell::new(pods("old", count));
    let next = || pods.borrow_mut().next();
    let writers = (0..FILLERS).map(|_| async {
        while let Some((key, pod)) = next() {
            target.put(&key, subject.value(&pod), Expect::Absent).await;
        }
    });
    join_all(writers).await;
}

fn snapshots(etcd: &Etcd) -> Vec<Row> {
    let prefix = &Prefix::collection(&Pod::KIND);
    let side = |subject: Subject<'_>, name: &str| {
        let full = Full::new(subject, SNAPSHOT);
        Side::new(name.to_owned(), move || full.list(prefix, SNAPSHOT, 1))
    };
    let [memory, sharded, embedded, map, adapter, raw] = in_turn([
        side(Subject::Memory, "MemoryStore"),
        side(Subject::Sharded, Subject::Sharded.name()),
        side(Subject::Embedded, "EmbeddedStore"),
        side(Subject::Map, "cloning the pointers out of a BTreeMap"),
        side(Subject::Etcd(etcd), "EtcdStore"),
        side(Subject::RawEtcd(etcd), "etcd, bare calls, pages of 10,000"),
    ]);
    let what = format!("list of {SNAPSHOT} pods, whole");
    let goal = Goal::Nanoseconds(1e6);
    vec![
        Row::of(&what, &memory, &map).goal(goal),
        Row::of(&what, &sharded, &memory).goal(goal),
        Row::of(&what, &embedded, &map).goal(goal),
        Row::of(&what, &embedded, &raw),
        Row::of(&what, &adapter, &raw).goal(Goal::TimesAsFast(0.95)),
    ]
}

fn gets(etcd: &Etcd) -> Vec<Row> {
    const STORED: usize = 10_000;
    let side = |subject: Subject<'_>, count: usize| {
        let full = Full::new(subject, STORED);
        let keys: Vec<Key> = pods("old", STORED).map(|(key, _)| key).collect();
        Side::new(subject.name(), move || {
            let target = &full.opened.target;
            full.runtime.block_on(async {
                let run = async {
                    for number in 0..count {
                        // Some other place each time, as a prime is no divisor of how many there are.
                        target.get(&keys[number * 7_919 % keys.len()]).await;
                    }
                };
                cost_with_server(full.opened.server, count, run).await
            })
        })
    };
    let [memory, embedded, map, adapter, raw] = in_turn([
        side(Subject::Memory, 100_000),
        side(Subject::Embedded, 100_000),
        side(Subject::Map, 100_000),
        side(Subject::Etcd(etcd), 1_000),
        side(Subject::RawEtcd(etcd), 1_000),
    ]);
    let what = format!("get of one of {STORED} pods, one reader");
    vec![
        Row::of(&what, &memory, &map),
        Row::of(&what, &embedded, &map),
        Row::of(&what, &embedded, &raw),
        Row::of(&what, &adapter, &raw).goal(Goal::TimesAsFast(0.95)),
    ]
}

/// By what is in the key, which is an index, and by a label, which needs a look at every object.
fn filtered() -> Vec<Row> {
    let [memory, embedded, map] =
        [Subject::Memory, Subject::Embedded, Subject::Map].map(|subject| Full::new(subject, FILTERED));
    let namespace = &Prefix::namespace(&Pod::KIND, "namespace-1234").expect("a name");
    let what = format!("the 100 of {FILTERED} pods that are in one namespace");
    let [ours, durable, floor] = in_turn([
        Side::new("MemoryStore", || memory.list(namespace, 100, 100)),
        Side::new("EmbeddedStore", || embedded.list(namespace, 100, 100)),
        Side::new("range of a BTreeMap", || map.list(namespace, 100, 100)),
    ]);
    let indexed = Goal::Nanoseconds(50e3);
    let mut rows = vec![Row::of(&what, &ours, &floor).goal(indexed), Row::of(&what, &durable, &floor).goal(indexed)];
    let what = format!("the pods among {FILTERED} that have a label");
    let [ours, durable, floor] = in_turn([
        Side::new("MemoryStore", || by_label(&memory)),
        Side::new("EmbeddedStore, which has JSON to decode", || by_label(&embedded)),
        Side::new("the same over a BTreeMap", || by_label(&map)),
    ]);
    let kubernetes =
        |rate: f64| format!("{:.2} × as fast as Kubernetes' watch cache as published, 499 ms", rate * 0.499);
    let not_indexed = Goal::Nanoseconds(10e6);
    rows.push(Row::of(&what, &ours, &floor).remark(kubernetes).goal(not_indexed));
    rows.push(Row::of(&what, &durable, &floor).remark(kubernetes).goal(not_indexed));
    rows
}

fn by_label(full: &Full) -> Cost {
    let prefix = Prefix::collection(&Pod::KIND);
    full.runtime.block_on(async {
        let run = async {
            let listed = full.opened.target.list(&prefix).await;
            let found = listed.labelled("group", "group-1234");
            assert_eq!(found.len(), 100);
            (listed, found)
        };
        cost_with_server(None, 1, run).await
    })
}
