//! Whatever many clients do at the same time, every store of this crate is linearizable, and its watches tell the truth.
//! Together with the other stores of the test run, more than 100,000 operations are checked.

mod memory {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use orch_store::memory::{MemoryStore, MemoryStoreConfig};
    use orch_testkit::history::workload::{check_by_turns, check_in_threads};

    /// A short pause before progress marks, so that the watches are at their end soon.
    pub(crate) fn config() -> MemoryStoreConfig {
        MemoryStoreConfig { progress_every: Duration::from_millis(20), ..MemoryStoreConfig::default() }
    }

    #[test]
    fn a_memory_store_is_linearizable_when_requests_overtake_one_another() {
        let new = async || MemoryStore::with_config(config());
        let checked = check_by_turns(40_000, |workload| workload.with_transactions().with_compaction(), new);
        println!("MemoryStore, by turns: {checked}");
        assert!(checked.recovered > 100, "no answer was lost");
    }

    #[test]
    fn a_memory_store_with_little_history_is_linearizable() {
        let history = NonZeroUsize::new(50).expect("not zero");
        let new = async || MemoryStore::with_config(MemoryStoreConfig { history, ..config() });
        let checked = check_by_turns(10_000, |workload| workload.with_transactions().with_compaction(), new);
        println!("MemoryStore with little history, by turns: {checked}");
    }

    #[test]
    fn a_memory_store_is_linearizable_when_threads_meet() {
        let new = async || MemoryStore::with_config(config());
        let checked = check_in_threads(40_000, |workload| workload.with_transactions().with_compaction(), new);
        println!("MemoryStore, in threads: {checked}");
    }
}

mod model {
    use orch_testkit::history::workload::check_by_turns;
    use orch_testkit::model::ModelStore;

    #[test]
    fn the_model_is_linearizable_when_requests_overtake_one_another() {
        let new = async || ModelStore::default();
        let checked = check_by_turns(10_000, |workload| workload.with_transactions().with_compaction(), new);
        println!("ModelStore, by turns: {checked}");
    }
}

mod sharded {
    use std::sync::Arc;

    use orch_core::key::Prefix;
    use orch_core::kind::Object as _;
    use orch_core::object::Pod;
    use orch_store::memory::MemoryStore;
    use orch_store::sharded::{Route, ShardedStore};
    use orch_testkit::history::workload::check_by_turns;

    use crate::memory;

    #[test]
    fn a_shard_of_a_sharded_store_is_linearizable() {
        let new = async || {
            let shards = ["main", "pods"].map(|name| (name, Arc::new(MemoryStore::with_config(memory::config()))));
            let routes = [(Prefix::all(), "main"), (Prefix::collection(&Pod::KIND), "pods")];
            let routes = routes.map(|(prefix, shard)| Route::new(prefix, shard));
            ShardedStore::new(shards, &routes).expect("the routes fit together")
        };
        let checked = check_by_turns(10_000, |workload| workload.with_transactions(), new);
        println!("ShardedStore, by turns: {checked}");
    }
}

#[cfg(feature = "embedded")]
mod embedded {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use orch_store::embedded::{BufferedStore, EmbeddedStore, EmbeddedStoreConfig};
    use orch_testkit::history::workload::check_in_threads;

    /// A folder for the stores of one test, which goes when this does.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("orch-store-linearizable-{name}-{}", std::process::id())))
        }

        /// Of a store of its own, that makes checkpoints while it is used.
        fn config(&self, count: &AtomicUsize) -> EmbeddedStoreConfig {
            let folder = self.0.join(count.fetch_add(1, Ordering::Relaxed).to_string());
            let progress_every = Duration::from_millis(20);
            EmbeddedStoreConfig { progress_every, checkpoint_after: 100, ..EmbeddedStoreConfig::new(folder) }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // Best effort: a store may still be closing.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn an_embedded_store_is_linearizable_when_threads_meet() {
        let (folder, count) = (Folder::new("embedded"), AtomicUsize::new(0));
        let new = async || EmbeddedStore::open(folder.config(&count)).await.expect("a folder of its own");
        let checked = check_in_threads(10_000, |workload| workload.with_transactions().with_compaction(), new);
        println!("EmbeddedStore, in threads: {checked}");
    }

    #[test]
    fn a_buffered_store_is_linearizable_when_threads_meet() {
        let (folder, count) = (Folder::new("buffered"), AtomicUsize::new(0));
        let new = async || BufferedStore::open(folder.config(&count)).await.expect("a folder of its own");
        let checked = check_in_threads(10_000, |workload| workload.with_transactions().with_compaction(), new);
        println!("BufferedStore, in threads: {checked}");
    }
}

#[cfg(feature = "etcd")]
mod etcd {
    use orch_store::etcd::{EtcdConfig, EtcdStore};
    use orch_testkit::daemon::Etcd;
    use orch_testkit::history::workload::check_in_threads;

    /// Two at the same time, in parts of their own of one etcd: the revisions of each have holes, where the other writes.
    #[test]
    fn an_etcd_store_is_linearizable_beside_another_one_in_the_same_etcd() {
        let new = async || {
            let etcd = Etcd::shared().await;
            let prefix = etcd.unique_prefix();
            let config = EtcdConfig { endpoints: etcd.endpoints(), prefix, ..EtcdConfig::default() };
            EtcdStore::new(config).expect("the endpoints of an etcd that runs")
        };
        let half = || check_in_threads(3_000, |workload| workload.with_transactions(), new);
        let (one, other) = std::thread::scope(|scope| {
            let other = scope.spawn(half);
            (half(), other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        println!("EtcdStore, in threads: {}", one.and(other));
    }
}
