//! Every store of this crate runs the suites of the contracts that it implements.

mod memory {
    use std::time::Duration;

    use orch_store::memory::{MemoryStore, MemoryStoreConfig};

    /// As by default, but for a short pause before progress marks, so that the clauses that wait for one are quick.
    fn store() -> MemoryStore {
        let progress_every = Duration::from_millis(20);
        MemoryStore::with_config(MemoryStoreConfig { progress_every, ..MemoryStoreConfig::default() })
    }

    orch_testkit::store_suite!(store());
    orch_testkit::compact_suite!(store());
    orch_testkit::transact_suite!(store());
}
