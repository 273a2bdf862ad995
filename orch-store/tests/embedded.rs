//! What the stores in files promise beyond the contract: restarts, locks, backups, closing.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::Lease;
use orch_core::revision::Revision;
use orch_core::store::{
    Claim as _, Compact as _, Expect, ListFrom, ListOptions, Store, StoreError, StoreExt as _, Value, WatchEvent,
};
use orch_store::embedded::{BufferedStore, EmbeddedStore, EmbeddedStoreConfig, EmbeddedStoreError};
use orch_testkit::suite;

/// A folder for one test, which goes when this does.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("orch-store-embedded-{}-{number}", std::process::id())))
    }

    fn config(&self) -> EmbeddedStoreConfig {
        EmbeddedStoreConfig::new(self.0.join("state"))
    }

    async fn open(&self) -> EmbeddedStore {
        EmbeddedStore::open(self.config()).await.expect("nothing is wrong with the folder")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Best effort: what is left is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn key(name: &str) -> Key {
    Key::new(&Lease::KIND, Some("shop"), name).expect("a valid key")
}

fn lease(holder: &str) -> Value {
    let mut lease = Lease::default();
    lease.spec.holder_identity = Some(holder.to_owned());
    Value::new(lease)
}

async fn put(store: &impl Store, name: &str, holder: &str) -> Revision {
    let found = store.get(&key(name)).await.expect("the store is open");
    let expect = found.map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
    store.put(&key(name), lease(holder), expect).await.expect("nobody else writes").revision
}

async fn holders(store: &impl Store) -> Vec<String> {
    let (leases, _) = store.list_as::<Lease>(&Prefix::all()).await.expect("a listing");
    leases.iter().filter_map(|lease| lease.spec.holder_identity.clone()).map(|holder| holder.to_string()).collect()
}

#[tokio::test]
async fn a_watch_goes_on_after_its_last_revision_across_a_restart() {
    let folder = Folder::new();
    let store = folder.open().await;
    let first = put(&store, "a", "one").await;
    let second = put(&store, "a", "two").await;
    store.close().await;
    let store = folder.open().await;
    let mut watch = store.watch(&Prefix::all(), first).await.expect("history is kept");
    let third = put(&store, "b", "three").await;
    for expected in [second, third] {
        let event = watch.next().await.expect("the store is open").expect("history is kept");
        assert_eq!(event.revision(), expected);
    }
    let past = ListOptions { from: ListFrom::At(first), ..ListOptions::default() };
    let page = store.list(&Prefix::all(), past).await.expect("history is kept");
    assert_eq!(
        page.entries.first().expect("one object").decode::<Lease>().expect("a lease").spec.holder_identity.as_deref(),
        Some("one")
    );
    store.close().await;
}

#[tokio::test]
async fn a_compaction_is_remembered_across_a_restart() {
    let folder = Folder::new();
    let store = folder.open().await;
    put(&store, "a", "one").await;
    let oldest = put(&store, "a", "two").await;
    store.compact(oldest).await.expect("it was reached");
    store.close().await;
    let store = folder.open().await;
    let past = ListOptions { from: ListFrom::At(Revision(1)), ..ListOptions::default() };
    match store.list(&Prefix::all(), past).await {
        Err(StoreError::Compacted { oldest: told, .. }) => assert_eq!(told, oldest),
        other => panic!("a revision that was compacted away gave {other:?}"),
    }
    store.close().await;
}

#[tokio::test]
async fn a_claim_outlives_a_restart_and_ends_when_nobody_renews_it_then() {
    let folder = Folder::new();
    let store = folder.open().await;
    let short = store.claim(&key("short"), lease("one"), Duration::from_millis(200)).await.expect("it is free");
    let long = store.claim(&key("long"), lease("one"), Duration::from_secs(600)).await.expect("it is free");
    store.close().await;
    let store = folder.open().await;
    store.renew(&long).await.expect("it lives");
    let mut watch = store.watch(&Prefix::all(), long.entry.revision).await.expect("history is kept");
    loop {
        match watch.next().await {
            Some(Ok(WatchEvent::Delete { key, .. })) => break assert_eq!(key, short.entry.key),
            Some(Ok(WatchEvent::Progress(_))) => {}
            other => panic!("{other:?} came, and not the end of the claim"),
        }
    }
    let lost = store.renew(&short).await;
    assert!(matches!(lost, Err(StoreError::ClaimLost { .. })), "{lost:?}");
    store.release(&long).await.expect("it lives");
    store.close().await;
}

#[tokio::test]
async fn checkpoints_take_the_place_of_what_is_before_them() {
    let folder = Folder::new();
    let history = NonZeroUsize::new(10).expect("not zero");
    let config = EmbeddedStoreConfig { checkpoint_after: 20_000, history, ..folder.config() };
    let store = EmbeddedStore::open(config.clone()).await.expect("a new folder");
    for number in 0..1_000 {
        put(&store, &format!("n{}", number % 7), &number.to_string()).await;
    }
    let before = holders(&store).await;
    store.close().await;
    let bytes = || -> u64 {
        let entries = std::fs::read_dir(&config.folder).expect("the folder is there");
        entries.map(|entry| entry.and_then(|entry| entry.metadata()).expect("it is there").len()).sum()
    };
    assert!(bytes() < 60_000, "{} bytes are left of a thousand writes to seven objects", bytes());
    let store = EmbeddedStore::open(config.clone()).await.expect("nothing is wrong");
    assert_eq!(holders(&store).await, before);
    store.close().await;
}

#[tokio::test]
async fn a_folder_in_use_is_refused_by_its_path_and_free_after_closing() {
    let folder = Folder::new();
    let store = folder.open().await;
    for opened in
        [EmbeddedStore::open(folder.config()).await.map(drop), BufferedStore::open(folder.config()).await.map(drop)]
    {
        let error = opened.expect_err("it is in use");
        let path = folder.config().folder.display().to_string();
        assert!(matches!(error, EmbeddedStoreError::Locked { .. }) && error.to_string().contains(&path), "{error}");
    }
    let clone = store.clone();
    store.close().await;
    let again = folder.open().await;
    let closed = clone.get(&key("a")).await;
    assert!(matches!(closed, Err(StoreError::Closed)), "a clone of a closed store answers {closed:?}");
    again.close().await;
    clone.close().await;
}

#[tokio::test]
async fn closing_writes_what_was_handed_in_and_ends_watches() {
    let folder = Folder::new();
    let store = folder.open().await;
    let mut watch = store.watch(&Prefix::all(), Revision::ZERO).await.expect("a new store");
    let keys: Vec<Key> = (0..50).map(|number| key(&format!("n{number}"))).collect();
    let mut puts: Vec<_> = keys.iter().map(|key| store.put(key, lease("one"), Expect::Absent)).collect();
    // Handed in, and not waited for.
    for put in &mut puts {
        assert!(futures::poll!(put).is_pending(), "no disk is that fast");
    }
    drop(puts);
    store.close().await;
    let mut told = 0;
    loop {
        match watch.next().await {
            Some(Ok(WatchEvent::Put { .. })) => told += 1,
            Some(Err(StoreError::Closed)) => break,
            other => panic!("{other:?} came of a store that was closed"),
        }
    }
    assert_eq!(told, keys.len());
    assert!(watch.next().await.is_none());
    let store = folder.open().await;
    assert_eq!(holders(&store).await.len(), keys.len());
    store.close().await;
}

#[test]
fn the_last_clone_may_be_dropped_where_there_is_no_runtime() {
    let folder = Folder::new();
    let store = suite::run(async {
        let store = folder.open().await;
        put(&store, "a", "one").await;
        store
    });
    drop(store);
    suite::run(async {
        // The threads may need a moment to give the folder back.
        let store = loop {
            match EmbeddedStore::open(folder.config()).await {
                Ok(store) => break store,
                Err(EmbeddedStoreError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(holders(&store).await, ["one"]);
        store.close().await;
    });
}

#[tokio::test]
async fn a_backup_is_the_store_at_one_revision_and_a_restored_store_uses_no_revision_again() {
    let folder = Folder::new();
    let store = folder.open().await;
    let first = put(&store, "a", "one").await;
    let backup = folder.0.join("backup");
    assert_eq!(store.back_up(&backup).await.expect("there is room"), first);
    let lost = put(&store, "b", "lost").await;
    let occupied = store.back_up(&backup).await;
    assert!(matches!(occupied, Err(EmbeddedStoreError::Occupied { .. })), "{occupied:?}");
    store.close().await;

    let config = EmbeddedStoreConfig::new(folder.0.join("restored"));
    let begins = EmbeddedStore::restore(&backup, &config.folder).await.expect("nothing is wrong with the backup");
    let again = EmbeddedStore::restore(&backup, &config.folder).await;
    assert!(matches!(again, Err(EmbeddedStoreError::Occupied { .. })), "{again:?}");
    let store = EmbeddedStore::open(config).await.expect("it was just made");
    assert_eq!(holders(&store).await, ["one"]);
    assert_eq!(store.get(&key("a")).await.expect("a read").map(|entry| entry.revision), Some(first));
    // Who saw what the backup does not have is told to list again, not given another history.
    for seen in [first, lost] {
        let refused = store.watch(&Prefix::all(), seen).await.map(drop);
        assert!(matches!(refused, Err(StoreError::Compacted { .. })), "a watch after {seen}: {refused:?}");
    }
    let next = put(&store, "b", "other").await;
    assert!(next > begins && begins > lost, "{next}, {begins}, {lost}");
    store.close().await;
}

#[tokio::test]
async fn a_damaged_backup_makes_no_store() {
    let folder = Folder::new();
    let store = folder.open().await;
    put(&store, "a", "one").await;
    let backup = folder.0.join("backup");
    store.back_up(&backup).await.expect("there is room");
    store.close().await;
    let mut bytes = std::fs::read(&backup).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&backup, bytes).expect("there is room");
    let into = folder.0.join("restored");
    let result = EmbeddedStore::restore(&backup, &into).await;
    assert!(matches!(result, Err(EmbeddedStoreError::Damaged { .. })), "{result:?}");
    assert!(!into.exists(), "something was made of it");
}

#[tokio::test]
async fn either_store_opens_the_files_of_the_other() {
    let folder = Folder::new();
    let store = BufferedStore::open(folder.config()).await.expect("a new folder");
    put(&store, "a", "buffered").await;
    store.close().await;
    let store = folder.open().await;
    put(&store, "b", "synced").await;
    store.close().await;
    let store = BufferedStore::open(folder.config()).await.expect("nothing is wrong");
    assert_eq!(holders(&store).await, ["buffered", "synced"]);
    store.close().await;
}

#[tokio::test]
async fn what_is_too_large_or_no_json_is_refused() {
    let folder = Folder::new();
    let config = EmbeddedStoreConfig { object_limit: 200, ..folder.config() };
    let store = EmbeddedStore::open(config).await.expect("a new folder");
    match store.put(&key("a"), lease(&"long".repeat(100)), Expect::Absent).await {
        Err(StoreError::TooLarge { size, limit: 200, .. }) => assert!(size > 400),
        other => panic!("a long object gave {other:?}"),
    }
    let refused = store.put(&key("a"), Value::from_json(vec![b'"', 0, b'"'].into()), Expect::Absent).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    store.close().await;
}
