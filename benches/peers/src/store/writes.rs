//! Writing: new objects and compare-and-swap, by one writer and by many.

use futures::future::join_all;
use orch_core::key::Key;
use orch_core::object::Pod;
use orch_core::revision::Revision;
use orch_core::store::{Expect, Value};
use orch_testkit::daemon::Etcd;
use tokio::task::JoinHandle;

use super::disk::{Place, loop_of_syncs};
use super::subject::{Subject, Target, pods};
use crate::measure::{Cost, Measured, Side, block_on, block_on_all_cores, cost_with_server, in_turn};
use crate::row::{Goal, Row};

const WRITERS: [usize; 2] = [1, 200];

/// A group of rows for each operation and number of writers.
pub fn rows() -> impl Iterator<Item = Vec<Row>> {
    let etcd = block_on(Etcd::start());
    let operations = [Operation::Create, Operation::Swap].into_iter();
    let groups = operations.flat_map(|operation| WRITERS.map(|writers| (operation, writers)));
    groups.map(move |(operation, writers)| rows_of(operation, writers, &etcd))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Create,
    Swap,
}

fn rows_of(operation: Operation, writers: usize, etcd: &Etcd) -> Vec<Row> {
    let what = match operation {
        Operation::Create => "put of a new pod",
        Operation::Swap => "compare-and-swap put",
    };
    let what = format!("{what}, {writers} writer{}", if writers == 1 { "" } else { "s" });
    let side = |subject| side(subject, operation, writers);
    let bare = Side::new(format!("bare loop that appends {writers} of the same length and syncs"), || {
        loop_of_syncs(amount(Subject::HandOver, writers), writers, record_length(), Place::End)
    });
    let [memory, sharded, map, buffered, embedded, encoding, adapter, raw, hand_over, bare] = in_turn([
        side(Subject::Memory),
        side(Subject::Sharded),
        side(Subject::Map),
        side(Subject::Buffered),
        side(Subject::Embedded),
        side(Subject::EmbeddedEncoding),
        side(Subject::Etcd(etcd)),
        side(Subject::RawEtcd(etcd)),
        side(Subject::HandOver),
        bare,
    ]);
    let of = |ours: &Measured, peer: &Measured| Row::of(&what, ours, peer);
    let in_process = Goal::PerSecond(2e6);
    let (times_etcd, of_ceiling) = (Goal::TimesAsFast(40.0), Goal::TimesAsFast(0.8));
    vec![
        of(&memory, &map).goal_if(operation == Operation::Swap, in_process),
        of(&sharded, &memory),
        of(&buffered, &memory),
        of(&embedded, &hand_over).goal(of_ceiling),
        of(&embedded, &bare),
        of(&embedded, &raw).goal_if(writers > 1, times_etcd),
        of(&encoding, &embedded),
        of(&adapter, &raw).goal(Goal::TimesAsFast(0.95)),
    ]
}

fn side(subject: Subject<'_>, operation: Operation, writers: usize) -> Side<'_> {
    Side::new(subject.name(), move || measured(subject, operation, writers))
}

/// How many writes take a fraction of a second.
fn amount(subject: Subject<'_>, writers: usize) -> usize {
    match (subject, writers) {
        (Subject::Memory | Subject::Sharded | Subject::Map | Subject::Buffered, _) => 50_000,
        (Subject::Etcd(_) | Subject::RawEtcd(_), 1) => 300,
        (Subject::Etcd(_) | Subject::RawEtcd(_), _) => 4_000,
        (Subject::Embedded | Subject::EmbeddedEncoding | Subject::HandOver, 1) => 300,
        (Subject::Embedded | Subject::EmbeddedEncoding | Subject::HandOver, _) => 20_000,
    }
}

fn record_length() -> usize {
    let (key, pod) = pods("new-0", 1).next().expect("one");
    key.as_str().len() + Value::new(pod).encode().expect("a pod has a JSON form").len()
}

/// What one writer writes: its puts go round its keys, the first ones before the measurement begins.
struct Lot {
    keys: Vec<Key>,
    revisions: Vec<Option<Revision>>,
    before: Vec<Value>,
    measured: Vec<Value>,
    done: usize,
}

impl Lot {
    fn new(subject: Subject<'_>, operation: Operation, writer: usize, writes: usize) -> Self {
        let (keys, before) = match operation {
            // One is put before, for a connection to be warm.
            Operation::Create => (1 + writes, 1),
            Operation::Swap => (writes.div_ceil(10), writes.div_ceil(10)),
        };
        let pods: Vec<(Key, Pod)> = pods(&format!("new-{writer}"), keys).collect();
        let mut values = (0..before + writes).map(|number| subject.value(&pods[number % keys].1));
        let (before, measured) = (values.by_ref().take(before).collect(), values.collect());
        let keys: Vec<Key> = pods.into_iter().map(|(key, _)| key).collect();
        Self { revisions: vec![None; keys.len()], keys, before, measured, done: 0 }
    }

    async fn prepare(mut self, target: Target) -> Self {
        let values = std::mem::take(&mut self.before);
        self.write(target, values).await
    }

    async fn run(mut self, target: Target) -> Self {
        let values = std::mem::take(&mut self.measured);
        self.write(target, values).await
    }

    async fn write(mut self, target: Target, values: Vec<Value>) -> Self {
        for value in values {
            let index = self.done % self.keys.len();
            let expect = self.revisions[index].map_or(Expect::Absent, Expect::Revision);
            self.revisions[index] = Some(target.put(&self.keys[index], value, expect).await);
            self.done += 1;
        }
        self
    }
}

fn measured(subject: Subject<'_>, operation: Operation, writers: usize) -> Cost {
    let each = amount(subject, writers) / writers;
    let lots: Vec<Lot> = (0..writers).map(|writer| Lot::new(subject, operation, writer, each)).collect();
    let run = async {
        let opened = subject.open().await;
        let target = || opened.target.clone();
        let prepared = all(lots.into_iter().map(|lot| tokio::spawn(lot.prepare(target())))).await;
        // A task for each, as they would be in a program that many use; with one writer on one thread.
        let written = async { all(prepared.into_iter().map(|lot| tokio::spawn(lot.run(target())))).await };
        cost_with_server(opened.server, each * writers, written).await
    };
    if writers == 1 { block_on(run) } else { block_on_all_cores(run) }
}

async fn all(lots: impl Iterator<Item = JoinHandle<Lot>>) -> Vec<Lot> {
    join_all(lots).await.into_iter().map(|lot| lot.expect("a writer does not panic")).collect()
}
