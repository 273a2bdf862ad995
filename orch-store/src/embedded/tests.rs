//! What cannot be seen from outside: every crash, every flipped bit, disks that fail, what is asked of a disk.

mod against_model;
mod costs;
mod crashes;
mod damage;
mod failures;
mod simulated_disk;
mod workload;

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::Lease;
use orch_core::revision::Revision;
use orch_core::store::{Entry, ListOptions, Value};

use self::simulated_disk::SimulatedDisk;
use super::EmbeddedStoreConfig;
use super::EmbeddedStoreError;
use super::handle::Handle;
use super::log::Durability;

/// What a store holds: of each object the JSON, its revision, and the one that created it.
type Objects = BTreeMap<Key, (String, Revision, Revision)>;

/// Small, so that there are checkpoints after a few writes.
fn config() -> EmbeddedStoreConfig {
    EmbeddedStoreConfig { checkpoint_after: 700, ..EmbeddedStoreConfig::new("") }
}

fn open(disk: &SimulatedDisk, durability: Durability) -> Result<Handle, EmbeddedStoreError> {
    Handle::open(Arc::new(disk.clone()), config(), durability)
}

fn key(name: &str) -> Key {
    Key::new(&Lease::KIND, Some("shop"), name).expect("a valid key")
}

fn lease(holder: impl ToString) -> Value {
    let mut lease = Lease::default();
    lease.spec.holder_identity = Some(holder.to_string());
    Value::new(lease)
}

fn describe(entry: &Entry) -> (String, Revision, Revision) {
    let json = entry.value.encode().expect("it was encoded before");
    (String::from_utf8_lossy(&json).into_owned(), entry.revision, entry.created)
}

/// All that a store holds now, and the revision.
fn everything(handle: &Handle) -> (Objects, Revision) {
    let page = handle.list(&Prefix::all(), &ListOptions::default()).expect("the latest state can be listed");
    let objects = page.entries.iter().map(|entry| (entry.key.clone(), describe(entry)));
    (objects.collect(), page.revision)
}
