//! [`EtcdStore`](orch_store::EtcdStore) under faults of real etcd processes.
//!
//! In each test clients write, read and watch while the fault happens. Afterwards the whole recording is held against
//! the promises of the contract: no write lost that was acknowledged, none happened that was refused, no event lost,
//! doubled or out of order. While etcd cannot serve, every request must say so within its time-out.

mod access;
mod compacted;
mod killed;
mod majority;
mod partitioned;
mod paused;
mod workload;

use std::time::Duration;

use orch_store::EtcdStore;
use orch_store::etcd::EtcdConfig;

/// How long a request may take here: short, so that outages are.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A store at these members of a new cluster.
fn store_at(endpoints: Vec<String>) -> EtcdStore {
    EtcdStore::new(config_for(endpoints)).expect("a valid configuration")
}

fn config_for(endpoints: Vec<String>) -> EtcdConfig {
    EtcdConfig { endpoints, timeout: TIMEOUT, connect_timeout: TIMEOUT / 2, ..EtcdConfig::default() }
}
