//! Every store of this crate runs the suites of the contracts that it implements.

mod memory {
    use std::time::Duration;

    use orch_store::memory::{MemoryStore, MemoryStoreConfig};

    /// As by default, but for a short pause before progress marks, so that the clauses that wait for one are quick.
    pub(crate) fn store() -> MemoryStore {
        let progress_every = Duration::from_millis(20);
        MemoryStore::with_config(MemoryStoreConfig { progress_every, ..MemoryStoreConfig::default() })
    }

    orch_testkit::store_suite!(store());
    orch_testkit::compact_suite!(store());
    orch_testkit::transact_suite!(store());
    orch_testkit::claim_suite!(store());
}

mod sharded {
    use std::sync::Arc;
    use std::time::Duration;

    use orch_core::key::{Key, Prefix};
    use orch_core::kind::Object as _;
    use orch_core::object::{Pod, Service};
    use orch_core::store::{Expect, Store as _, Value};
    use orch_store::MemoryStore;
    use orch_store::sharded::{Route, ShardedStore};

    use crate::memory;

    /// Leases and namespaces, of which the suites consist, live in one of three shards. Into the others, to which pods
    /// are routed, somebody else writes all the time.
    fn store() -> ShardedStore<MemoryStore> {
        let shards = ["main", "pods", "shop"].map(|name| (name, Arc::new(memory::store())));
        shards[1..].iter().for_each(|(_, shard)| drop(tokio::spawn(write_all_the_time(Arc::clone(shard)))));
        let shop = Prefix::namespace(&Pod::KIND, "shop").expect("a valid prefix");
        let routes = [
            (Prefix::all(), "main"),
            (Prefix::collection(&Pod::KIND), "pods"),
            (shop, "shop"),
            (Prefix::collection(&Service::KIND), "pods"),
        ];
        let routes = routes.map(|(prefix, shard)| Route::new(prefix, shard));
        ShardedStore::new(shards, &routes).expect("the routes fit together")
    }

    /// Creates and deletes a pod, until the clause is over and with it the runtime.
    async fn write_all_the_time(shard: Arc<MemoryStore>) {
        let key = Key::new(&Pod::KIND, Some("shop"), "busy").expect("a valid key");
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        loop {
            ticks.tick().await;
            let made =
                shard.put(&key, Value::new(Pod::default()), Expect::Absent).await.expect("nobody else writes it");
            shard.delete(&key, made.revision).await.expect("nobody else deletes it");
        }
    }

    orch_testkit::store_suite!(store());
    orch_testkit::transact_suite!(store());
    orch_testkit::claim_suite!(store());
}

#[cfg(feature = "embedded")]
mod embedded {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use orch_store::embedded::{BufferedStore, EmbeddedStore, EmbeddedStoreConfig};

    /// A folder for one clause, which goes when this does.
    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            // The store's threads may still be ending, and make a file while the others are removed.
            for _ in 0..100 {
                match std::fs::remove_dir_all(&self.0) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        std::thread::park_timeout(Duration::from_millis(5));
                    }
                    _ => return,
                }
            }
        }
    }

    fn new_folder() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Folder(std::env::temp_dir().join(format!("orch-store-conformance-{}-{number}", std::process::id())))
    }

    /// As by default, but for a short pause before progress marks, so that the clauses that wait for one are quick, and
    /// for a checkpoint every now and then.
    fn config(folder: &Folder) -> EmbeddedStoreConfig {
        let progress_every = Duration::from_millis(20);
        EmbeddedStoreConfig { progress_every, checkpoint_after: 2_000, ..EmbeddedStoreConfig::new(&folder.0) }
    }

    mod synced {
        use super::*;

        orch_testkit::store_suite!(EmbeddedStore::open(config(&new_folder())).await.expect("a folder of its own"));
        orch_testkit::compact_suite!(EmbeddedStore::open(config(&new_folder())).await.expect("a folder of its own"));
        orch_testkit::transact_suite!(EmbeddedStore::open(config(&new_folder())).await.expect("a folder of its own"));
        orch_testkit::claim_suite!(EmbeddedStore::open(config(&new_folder())).await.expect("a folder of its own"));
    }

    mod buffered {
        use super::*;

        orch_testkit::store_suite!(BufferedStore::open(config(&new_folder())).await.expect("a folder of its own"));
        orch_testkit::compact_suite!(BufferedStore::open(config(&new_folder())).await.expect("a folder of its own"));
        orch_testkit::transact_suite!(BufferedStore::open(config(&new_folder())).await.expect("a folder of its own"));
        orch_testkit::claim_suite!(BufferedStore::open(config(&new_folder())).await.expect("a folder of its own"));
    }
}
