//! Stores: writing, and telling watchers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::Pod;
use orch_core::revision::Revision;
use orch_core::store::{Expect, ListOptions, Store as _, Value, WatchEvent};
use orch_store::{MemoryStore, memory::MemoryStoreConfig};

use crate::measure::{Cost, Row, block_on, cost, cost_async};
use crate::objects::pod;

const KEYS: usize = 10_000;
const WRITES: usize = 200_000;
const WATCHERS: usize = 100;
const WATCHED_WRITES: usize = 10_000;
const LISTED: usize = 100_000;

pub fn rows() -> Vec<Row> {
    let store = format!("compare-and-swap put, {KEYS} pods, one writer");
    let watch = format!("put until {WATCHERS} watchers have it, per delivery");
    let list = format!("list of {LISTED} pods, whole");
    vec![
        Row::pair(store, "Mutex, BTreeMap insert, log of the last changes", puts, floor_puts),
        Row::pair(watch, "tokio broadcast channel of pointers", watched, broadcast),
        Row::pair(list, "cloning the pointers out of a BTreeMap", list_all, floor_list),
    ]
}

fn keys(count: usize) -> Vec<(Key, Pod)> {
    let pods = (0..count).map(|index| pod(&format!("pod-{index}")));
    pods.map(|pod| (pod.key().expect("a key"), pod)).collect()
}

fn puts() -> Cost {
    let (store, pods) = (MemoryStore::default(), keys(KEYS));
    let values: Vec<Pod> = (0..WRITES).map(|index| pods[index % KEYS].1.clone()).collect();
    block_on(async {
        let mut revisions = vec![None; KEYS];
        let run = async {
            for (index, pod) in values.into_iter().enumerate() {
                let expect = revisions[index % KEYS].map_or(Expect::Absent, Expect::Revision);
                let entry = store.put(&pods[index % KEYS].0, Value::new(pod), expect).await.expect("as expected");
                revisions[index % KEYS] = Some(entry.revision);
            }
            store
        };
        cost_async(WRITES, run).await
    })
}

/// The least that a store with a history must do: no revision is expected, and none is written into the object.
fn floor_puts() -> Cost {
    let pods = keys(KEYS);
    let values: Vec<Pod> = (0..WRITES).map(|index| pods[index % KEYS].1.clone()).collect();
    let history = MemoryStoreConfig::default().history.get();
    let state = Mutex::new((BTreeMap::new(), VecDeque::new()));
    cost(WRITES, || {
        for (index, pod) in values.into_iter().enumerate() {
            let (key, value) = (pods[index % KEYS].0.clone(), Arc::new(pod));
            let mut state = state.lock().expect("not poisoned");
            state.0.insert(key.clone(), (Revision(index as u64), Arc::clone(&value)));
            state.1.push_back((key, value));
            if state.1.len() > history {
                state.1.pop_front();
            }
        }
        state
    })
}

fn watched() -> Cost {
    let store = Arc::new(MemoryStore::default());
    let pods = keys(WATCHED_WRITES);
    block_on(async {
        let prefix = Prefix::collection(&Pod::KIND);
        let mut readers = Vec::new();
        for _ in 0..WATCHERS {
            let mut watch = store.watch(&prefix, Revision::ZERO).await.expect("a watch");
            readers.push(tokio::spawn(async move {
                let mut seen = 0;
                while seen < WATCHED_WRITES {
                    if let Some(Ok(WatchEvent::Put { .. })) = watch.next().await {
                        seen += 1;
                    }
                }
            }));
        }
        let run = async {
            for (index, (key, pod)) in pods.into_iter().enumerate() {
                store.put(&key, Value::new(pod), Expect::Absent).await.expect("as expected");
                if index % 64 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            futures::future::join_all(readers).await;
        };
        cost_async(WATCHED_WRITES * WATCHERS, run).await
    })
}

fn broadcast() -> Cost {
    let pods = keys(WATCHED_WRITES);
    block_on(async {
        let (sender, _) = tokio::sync::broadcast::channel(WATCHED_WRITES);
        let readers = (0..WATCHERS).map(|_| {
            let mut receiver = sender.subscribe();
            tokio::spawn(async move {
                for _ in 0..WATCHED_WRITES {
                    let _: (Key, Arc<Pod>) = receiver.recv().await.expect("the channel has room for all");
                }
            })
        });
        let readers: Vec<_> = readers.collect();
        let run = async {
            for (index, (key, pod)) in pods.into_iter().enumerate() {
                sender.send((key, Arc::new(pod))).expect("somebody listens");
                if index % 64 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            futures::future::join_all(readers).await;
        };
        cost_async(WATCHED_WRITES * WATCHERS, run).await
    })
}

fn list_all() -> Cost {
    let store = MemoryStore::default();
    block_on(async {
        for (key, pod) in keys(LISTED) {
            store.put(&key, Value::new(pod), Expect::Absent).await.expect("nothing is there");
        }
        let run = async {
            let page = store.list(&Prefix::collection(&Pod::KIND), ListOptions::default()).await.expect("a page");
            assert_eq!(page.entries.len(), LISTED);
            page
        };
        cost_async(1, run).await
    })
}

fn floor_list() -> Cost {
    let map: BTreeMap<Key, Arc<Pod>> = keys(LISTED).into_iter().map(|(key, pod)| (key, Arc::new(pod))).collect();
    cost(1, || {
        let all: Vec<(Key, Arc<Pod>)> = map.iter().map(|(key, pod)| (key.clone(), Arc::clone(pod))).collect();
        assert_eq!(all.len(), LISTED);
        all
    })
}
