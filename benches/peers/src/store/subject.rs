//! [`Subject`]: what is measured, a store or what one is held against, all used in the same way.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use futures::StreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::{Lease, Node, Pod};
use orch_core::revision::Revision;
use orch_core::store::{Entries, Entry, Expect, ListFrom, ListOptions, Store, Value, Watch, WatchEvent};
use orch_store::MemoryStore;
use orch_store::embedded::{BufferedStore, EmbeddedStore, EmbeddedStoreConfig};
use orch_store::etcd::{EtcdConfig, EtcdStore};
use orch_store::sharded::{Route, ShardedStore};
use orch_testkit::daemon::Etcd;

use super::disk::HandOver;
use super::etcd::{KeyValue, RangeResponse, RawEtcd, RawWatch};
use super::map::Map;
use crate::objects::pod;

/// Something to be measured.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// `MemoryStore`.
    Memory,
    /// The same as one of four shards.
    Sharded,
    /// `BufferedStore`.
    Buffered,
    /// `EmbeddedStore`.
    Embedded,
    /// `EmbeddedStore`, given objects that it has to encode.
    EmbeddedEncoding,
    /// Real etcd through `EtcdStore`.
    Etcd(&'a Etcd),
    /// Real etcd, by calls that do no more than they must.
    RawEtcd(&'a Etcd),
    /// No store: a map and a log in memory, which check and promise nothing.
    Map,
    /// No store: one thread appends and syncs what many hand it.
    HandOver,
}

impl Subject<'_> {
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "MemoryStore",
            Self::Sharded => "ShardedStore over MemoryStore",
            Self::Buffered => "BufferedStore",
            Self::Embedded => "EmbeddedStore",
            Self::EmbeddedEncoding => "EmbeddedStore, which encodes",
            Self::Etcd(_) => "EtcdStore",
            Self::RawEtcd(_) => "etcd, bare calls",
            Self::Map => "Mutex, BTreeMap insert, log of the last changes",
            Self::HandOver => "handed to one thread that appends and syncs",
        }
    }

    /// Opens a new one that is empty, or a part of etcd that is.
    pub async fn open(self) -> Opened {
        let (mut server, mut scratch) = (None, None);
        let target = match self {
            Self::Memory => Target::Store(Arc::new(MemoryStore::new())),
            Self::Sharded => Target::Store(Arc::new(sharded())),
            Self::Buffered => {
                let config = EmbeddedStoreConfig::new(scratch.insert(Scratch::new()).path());
                Target::Store(Arc::new(BufferedStore::open(config).await.expect("a new store")))
            }
            Self::Embedded | Self::EmbeddedEncoding => {
                let config = EmbeddedStoreConfig::new(scratch.insert(Scratch::new()).path());
                Target::Store(Arc::new(EmbeddedStore::open(config).await.expect("a new store")))
            }
            Self::Etcd(etcd) => {
                server = Some(etcd.process_id().expect("it runs"));
                let (endpoints, prefix) = (etcd.endpoints(), format!("/{}/", etcd.unique_prefix()));
                let config = EtcdConfig { endpoints, prefix, ..EtcdConfig::default() };
                Target::Store(Arc::new(EtcdStore::new(config).expect("a valid configuration")))
            }
            Self::RawEtcd(etcd) => {
                server = Some(etcd.process_id().expect("it runs"));
                Target::Etcd(RawEtcd::connect(&etcd.endpoints()[0], &etcd.unique_prefix()).await)
            }
            Self::Map => Target::Map(Arc::default()),
            Self::HandOver => {
                let folder = scratch.insert(Scratch::new());
                Target::Disk(Arc::new(HandOver::start(&folder.path().join("log"))))
            }
        };
        Opened { target, server, _scratch: scratch }
    }

    /// A pod as this takes it: JSON where it is written as such, so that nobody's encoder is measured with it.
    pub fn value(self, pod: &Pod) -> Value {
        match self {
            Self::Memory | Self::Sharded | Self::EmbeddedEncoding | Self::Map => Value::new(pod.clone()),
            Self::Buffered | Self::Embedded | Self::Etcd(_) | Self::RawEtcd(_) | Self::HandOver => {
                Value::from_json(Value::new(pod.clone()).encode().expect("a pod has a JSON form"))
            }
        }
    }
}

/// What was opened, and what has to live as long.
#[derive(Debug)]
pub struct Opened {
    pub target: Target,
    /// The process that does part of the work.
    pub server: Option<u32>,
    /// Where the data is; dropped last.
    _scratch: Option<Scratch>,
}

/// What operations go to. Clones share it.
#[derive(Clone, Debug)]
pub enum Target {
    Store(Arc<dyn Store>),
    Etcd(RawEtcd),
    Map(Arc<Map>),
    Disk(Arc<HandOver>),
}

impl Target {
    /// Writes, and returns the revision.
    pub async fn put(&self, key: &Key, value: Value, expect: Expect) -> Revision {
        match self {
            Self::Store(store) => store.put(key, value, expect).await.expect("the object is as expected").revision,
            Self::Etcd(etcd) => etcd.put(key, value, expect).await,
            Self::Map(map) => map.put(key, value),
            Self::Disk(disk) => disk.append(key, value).await,
        }
    }

    /// Reads an object that is there.
    pub async fn get(&self, key: &Key) {
        match self {
            Self::Store(store) => assert!(store.get(key).await.expect("a read").is_some()),
            Self::Etcd(etcd) => assert!(etcd.get(key).await.is_some()),
            Self::Map(map) => assert!(map.get(key).is_some()),
            Self::Disk(_) => unreachable!("nothing is read from there"),
        }
    }

    /// Lists what is under a prefix, whole.
    pub async fn list(&self, prefix: &Prefix) -> Listed {
        match self {
            Self::Store(store) => {
                let (mut options, mut pages) = (ListOptions::default(), Vec::new());
                loop {
                    let page = store.list(prefix, options).await.expect("a page");
                    pages.push(page.entries);
                    let Some(next) = page.next else { return Listed::Entries(pages) };
                    options = ListOptions { from: ListFrom::Continue(next), ..ListOptions::default() };
                }
            }
            Self::Etcd(etcd) => Listed::Etcd(etcd.list(prefix).await),
            Self::Map(map) => Listed::Map(map.list(prefix)),
            Self::Disk(_) => unreachable!("nothing is read from there"),
        }
    }

    /// Watches all pods from now on.
    pub async fn watch(&self) -> Watching {
        let prefix = Prefix::collection(&Pod::KIND);
        match self {
            Self::Store(store) => {
                let after = store.list(&prefix, ListOptions::default()).await.expect("a page").revision;
                Watching::Store(store.watch(&prefix, after).await.expect("a watch"))
            }
            Self::Etcd(etcd) => Watching::Etcd(Box::new(etcd.watch(&prefix).await)),
            Self::Map(_) | Self::Disk(_) => unreachable!("nobody is told there"),
        }
    }
}

/// What was listed, page by page.
pub enum Listed {
    Entries(Vec<Entries>),
    /// One page, of no store.
    Map(Vec<Entry>),
    Etcd(Vec<RangeResponse>),
}

impl Listed {
    pub fn len(&self) -> usize {
        match self {
            Self::Entries(pages) => pages.iter().map(Entries::len).sum(),
            Self::Map(entries) => entries.len(),
            Self::Etcd(pages) => pages.iter().map(|page| page.kvs.len()).sum(),
        }
    }

    /// The pods with this label.
    pub fn labelled(&self, name: &str, value: &str) -> Vec<Arc<Pod>> {
        let pod = |entry: &Entry| entry.decode::<Pod>().expect("a pod");
        let wanted = |pod: &Arc<Pod>| pod.metadata.labels.get(name).is_some_and(|found| found == value);
        match self {
            Self::Entries(pages) => pages.iter().flatten().map(pod).filter(wanted).collect(),
            Self::Map(entries) => entries.iter().map(pod).filter(wanted).collect(),
            Self::Etcd(_) => unreachable!("the bare calls decode no objects"),
        }
    }
}

/// A watch.
pub enum Watching {
    Store(Watch),
    Etcd(Box<RawWatch>),
}

impl Watching {
    /// Puts the revisions of what can be had at once into `batch`, or waits. Says whether the watch goes on.
    pub fn poll(&mut self, context: &mut Context<'_>, batch: &mut Vec<Revision>) -> Poll<bool> {
        /// So that the time that is read after a batch is not too late for its first.
        const MOST: usize = 64;
        while batch.len() < MOST {
            let goes_on = match self {
                Self::Store(watch) => watch.poll_next_unpin(context).map(|event| {
                    let Some(Ok(event)) = event else { return false };
                    if !matches!(event, WatchEvent::Progress(_)) {
                        batch.push(event.revision());
                    }
                    true
                }),
                Self::Etcd(watch) => watch.poll_next_unpin(context).map(|answer| {
                    let Some(Ok(answer)) = answer else { return false };
                    batch.extend(answer.events.iter().filter_map(|event| event.kv.as_ref()).map(KeyValue::revision));
                    true
                }),
            };
            match goes_on {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return Poll::Ready(false),
                Poll::Pending => break,
            }
        }
        if batch.is_empty() { Poll::Pending } else { Poll::Ready(true) }
    }
}

/// Pods, nodes and leases apart from everything else.
fn sharded() -> ShardedStore<MemoryStore> {
    let shard = |name| (name, Arc::new(MemoryStore::new()));
    let route = |kind, name| Route::new(Prefix::collection(kind), name);
    let routes = [
        Route::new(Prefix::all(), "rest"),
        route(&Pod::KIND, "pods"),
        route(&Node::KIND, "nodes"),
        route(&Lease::KIND, "leases"),
    ];
    ShardedStore::new(["rest", "pods", "nodes", "leases"].map(shard), &routes).expect("routes that lead somewhere")
}

/// So many pods with their keys, named after `series`: a hundred in each namespace, and each in one of 3,000 groups.
pub fn pods(series: &str, count: usize) -> impl Iterator<Item = (Key, Pod)> {
    (0..count).map(move |index| {
        let mut pod = pod(&format!("{series}-{index}"));
        pod.metadata.namespace = Some(format!("namespace-{}", index / 100));
        pod.metadata.labels.insert("group".to_owned(), format!("group-{}", index % 3_000));
        (pod.key().expect("a key"), pod)
    })
}

/// A folder that is removed with what is in it.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one, on the same file system as the data of the etcd that it is held against.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orch-bench-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a folder for temporary files");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is only in the way.
        let _ = fs::remove_dir_all(&self.0);
    }
}
