//! Watches of `EtcdStore` on a real etcd: slow readers, strangers, and progress marks that must be true.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::{Lease, Namespace};
use orch_core::revision::Revision;
use orch_core::store::{Compact as _, Entry, Expect, ListOptions, Store as _, StoreError, Value, Watch, WatchEvent};
use orch_store::etcd::{EtcdConfig, EtcdStore};
use orch_testkit::daemon::Etcd;

const SOON: Duration = Duration::from_secs(20);

fn of(etcd: &Etcd) -> EtcdConfig {
    EtcdConfig { endpoints: etcd.endpoints(), prefix: etcd.unique_prefix(), ..EtcdConfig::default() }
}

fn store(config: EtcdConfig) -> EtcdStore {
    EtcdStore::new(config).expect("a configuration that can be meant")
}

async fn create(store: &EtcdStore, namespace: Option<&str>, name: &str, bytes: usize) -> Entry {
    let padding = "x".repeat(bytes);
    let (key, value) = match namespace {
        None => {
            let mut object = Namespace::default();
            object.metadata.name = name.to_owned();
            object.metadata.annotations.insert("padding".to_owned(), padding);
            (object.key().expect("a name"), Value::new(object))
        }
        Some(namespace) => {
            let mut object = Lease::default();
            object.metadata.name = name.to_owned();
            object.metadata.namespace = Some(namespace.to_owned());
            object.metadata.annotations.insert("padding".to_owned(), padding);
            (object.key().expect("a name"), Value::new(object))
        }
    };
    store.put(&key, value, Expect::Absent).await.expect("a new object")
}

async fn next(watch: &mut Watch) -> Result<WatchEvent, StoreError> {
    tokio::time::timeout(SOON, watch.next()).await.expect("the watch is silent").expect("the watch ended")
}

/// The revisions that come until `last` does, or an error.
async fn revisions_until(watch: &mut Watch, last: Revision) -> (Vec<Revision>, Option<StoreError>) {
    let mut revisions = Vec::new();
    while revisions.last() != Some(&last) {
        match next(watch).await {
            Ok(WatchEvent::Progress(_)) => {}
            Ok(event) => revisions.push(event.revision()),
            Err(error) => return (revisions, Some(error)),
        }
    }
    (revisions, None)
}

#[tokio::test]
async fn a_reader_that_is_slow_gets_everything_though_little_is_kept_for_it() {
    let store = store(EtcdConfig { watch_buffer: 20_000, ..of(Etcd::shared().await) });
    let first = create(&store, None, "first", 1).await;
    let mut slow = store.watch(&Prefix::all(), first.revision).await.expect("a watch");
    let mut written = Vec::new();
    for number in 0..300 {
        written.push(create(&store, None, &format!("n{number}"), 1_000).await.revision);
    }
    let last = *written.last().expect("some were written");
    assert_eq!(revisions_until(&mut slow, last).await.0, written);
    let after = create(&store, None, "after", 1).await;
    assert_eq!(revisions_until(&mut slow, after.revision).await.0, [after.revision], "then it is live again");
}

#[tokio::test]
async fn a_reader_so_slow_that_history_is_gone_gets_the_beginning_and_is_told() {
    let etcd = Etcd::start().await;
    let store = store(EtcdConfig { watch_buffer: 20_000, ..of(&etcd) });
    let first = create(&store, None, "first", 1).await;
    let mut slow = store.watch(&Prefix::all(), first.revision).await.expect("a watch");
    let mut written = Vec::new();
    for number in 0..300 {
        written.push(create(&store, None, &format!("n{number}"), 1_000).await.revision);
    }
    let last = *written.last().expect("some were written");
    store.compact(last).await.expect("it exists");
    let (told, error) = revisions_until(&mut slow, last).await;
    assert!(!told.is_empty() && told.len() < written.len(), "{} of {} came", told.len(), written.len());
    assert_eq!(told, written[..told.len()], "something was left out before the end");
    let resumed_after = *told.last().expect("some were told");
    assert!(
        matches!(error, Some(StoreError::Compacted { requested, oldest }) if requested == resumed_after && oldest == last),
        "{error:?}"
    );
    assert!(slow.next().await.is_none(), "the error is the last item");
}

/// Servers before 3.4.25 answer a request for progress while they are still behind with a watch (etcd#15220). This takes
/// so many revisions that they are: they catch up by a thousand of them ten times a second.
#[tokio::test]
async fn no_mark_comes_before_what_it_says_was_delivered() {
    const OBJECTS: usize = 15_000;
    let etcd = Etcd::start().await;
    let store = store(of(&etcd));
    let start = create(&store, None, "start", 1).await.revision;
    let creating = (0..OBJECTS).map(|number| {
        let store = &store;
        async move { create(store, Some("ns"), &format!("n{number}"), 1).await }
    });
    let created: Vec<Entry> = futures::stream::iter(creating).buffer_unordered(200).collect().await;
    let revisions: BTreeSet<Revision> = created.iter().map(|entry| entry.revision).collect();
    let watching = async {
        let prefix = Prefix::namespace(&Lease::KIND, "ns").expect("a prefix");
        let mut watch = store.watch(&prefix, start).await.expect("a watch");
        let (mut told, mut marks) = (BTreeSet::new(), 0);
        while marks < 2 {
            match next(&mut watch).await.expect("no error") {
                WatchEvent::Progress(mark) => {
                    marks += 1;
                    let missing = revisions.range(..=mark).find(|revision| !told.contains(*revision));
                    assert_eq!(missing, None, "not delivered before a mark at {mark}, of {} that were", told.len());
                }
                event => drop(told.insert(event.revision())),
            }
        }
    };
    let writing = async {
        for number in 0.. {
            create(&store, None, &format!("elsewhere-{number}"), 1).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        biased;
        () = watching => {}
        () = writing => {}
    }
}

#[tokio::test]
async fn a_watch_that_begins_in_the_past_of_another_one_is_marked_too() {
    let store = store(of(Etcd::shared().await));
    let old = create(&store, Some("quiet"), "one", 1).await;
    let new = create(&store, None, "elsewhere", 1).await;
    let quiet = Prefix::namespace(&Lease::KIND, "quiet").expect("a prefix");
    let mut watches = Vec::new();
    for after in [new.revision, old.revision, Revision(old.revision.0 - 1)] {
        watches.push(store.watch(&quiet, after).await.expect("a watch"));
        // So that what is kept for marks has begun after the first of them.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let elsewhere = create(&store, None, "later", 1).await;
    for watch in &mut watches {
        while next(watch).await.expect("no error").revision() < elsewhere.revision {}
    }
}

#[tokio::test]
async fn strangers_under_the_prefix_are_left_out() {
    let etcd = Etcd::shared().await;
    let root = etcd.unique_prefix();
    let in_root = |below: &str| store(EtcdConfig { prefix: format!("{root}/{below}"), ..of(etcd) });
    // Its keys begin with the other one's prefix, and have too many parts to be objects there.
    let (store, strangers) = (in_root("a"), in_root("a/b/c/d"));
    let start = create(&store, Some("ns"), "one", 1).await;
    let mut watch = store.watch(&Prefix::all(), start.revision).await.expect("a watch");
    for number in 0..5 {
        create(&strangers, None, &format!("n{number}"), 1).await;
    }
    let two = create(&store, Some("ns"), "two", 1).await;
    assert_eq!(revisions_until(&mut watch, two.revision).await.0, [two.revision]);
    for limit in [None, std::num::NonZeroUsize::new(1)] {
        let mut names: Vec<Key> = Vec::new();
        let mut options = ListOptions { limit, ..ListOptions::default() };
        loop {
            let page = store.list(&Prefix::all(), options).await.expect("a listing");
            names.extend(page.entries.iter().map(|entry| entry.key.clone()));
            match page.next {
                Some(next) => options = ListOptions { limit, from: orch_core::store::ListFrom::Continue(next) },
                None => break,
            }
        }
        assert_eq!(names, [start.key.clone(), two.key.clone()], "in pages of {limit:?}");
    }
}

#[tokio::test]
async fn a_listing_without_a_limit_is_whole_though_it_is_read_in_pages() {
    let store = store(of(Etcd::shared().await));
    // More than the first page holds, and more bytes than the second.
    let creating = (0..1_200).map(|number| {
        let store = &store;
        async move { create(store, None, &format!("n{number:04}"), 12_000).await.key.clone() }
    });
    let keys: Vec<Key> = futures::stream::iter(creating).buffered(50).collect().await;
    let page = store.list(&Prefix::all(), ListOptions::default()).await.expect("a listing");
    let listed: Vec<Key> = page.entries.iter().map(|entry| entry.key.clone()).collect();
    assert!(listed == keys && page.next.is_none(), "{} of {} objects", listed.len(), keys.len());
}
