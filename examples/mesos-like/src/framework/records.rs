//! [`Records`]: what a framework must not forget, in a store.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use orch_core::key::{Key, Prefix};
use orch_core::kind::{Kind, Object, Scope};
use orch_core::object::ObjectMeta;
use orch_core::store::{Check, ListFrom, ListOptions, Transact, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::fenced::{FencedWriter, Known, Wanted, WriteError};
use crate::key_name::key_name;

/// As much of a name as a key takes with its ends; a longer one stands there as its digest.
const LONGEST_NAME: usize = 250;

/// Records of one owner, each JSON under a name. Every write depends on the claim by which the owner's scheduler leads: write
/// first, act then, and whatever moment ends the process, the next one knows what this one may have done.
#[derive(Debug)]
pub struct Records {
    owner: String,
    writer: FencedWriter,
}

/// What is to become of records: the JSON under a name, or nothing.
pub type Changes = BTreeMap<String, Option<serde_json::Value>>;

/// Why records cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// The owner's name cannot be that of a key.
    #[error("{owner:?} is too long for the name of a framework: make it shorter than 70 characters")]
    Owner {
        /// The name.
        owner: String,
    },
    /// What stands in the store is no record.
    #[error("{key} in the store is no record: {reason}")]
    Corrupt {
        /// Where.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// They cannot be read.
    #[error("{reason}")]
    Store {
        /// What the store says.
        reason: String,
    },
}

/// A record as an object of the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    metadata: ObjectMeta,
    /// What the owner calls it; the key may have a digest.
    name: String,
    record: serde_json::Value,
}

impl Object for Record {
    const KIND: Kind = Kind {
        api_version: "mesos.apache.org/v1",
        name: "FrameworkRecord",
        collection: "records.frameworks.mesos",
        scope: Scope::Namespaced,
    };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Records {
    /// Reads the records of an owner, and writes them from now on, as long as `claim` holds.
    ///
    /// # Errors
    /// [`RecordsError`]
    pub async fn open(
        store: Arc<dyn Transact>,
        claim: Check,
        owner: &str,
    ) -> Result<(Self, BTreeMap<String, serde_json::Value>), RecordsError> {
        const PAGE: NonZeroUsize = NonZeroUsize::new(1_000).expect("not zero");
        let wrong = |_| RecordsError::Owner { owner: owner.to_owned() };
        let prefix = Prefix::namespace(&Record::KIND, &key_name(owner)).map_err(wrong)?;
        let (mut records, mut known, mut from) = (BTreeMap::new(), Known::new(), ListFrom::Latest);
        loop {
            let page = store.list(&prefix, ListOptions { limit: Some(PAGE), from }).await;
            let page = page.map_err(|error| RecordsError::Store { reason: error.to_string() })?;
            for entry in &page.entries {
                let corrupt = |reason: String| RecordsError::Corrupt { key: entry.key.to_string(), reason };
                let record = entry.decode::<Record>().map_err(|error| corrupt(error.to_string()))?;
                known.insert(entry.key.clone(), entry.revision);
                records.insert(record.name.clone(), record.record.clone());
            }
            match page.next.clone() {
                Some(next) => from = ListFrom::Continue(next),
                None => break,
            }
        }
        Ok((Self { owner: owner.to_owned(), writer: FencedWriter::new(store, claim, known) }, records))
    }

    /// Makes it so, and returns when it is, however long the store is away. Up to
    /// [`MOST_AT_ONCE`](crate::fenced::MOST_AT_ONCE) changes are made wholly or not at all.
    ///
    /// # Errors
    /// [`WriteError`]: some of the changes may have been made. Open the records anew.
    pub async fn write(&mut self, changes: Changes) -> Result<(), WriteError> {
        let mut wanted = Wanted::new();
        for (name, record) in changes {
            let key = key(&self.owner, &name)?;
            let metadata = ObjectMeta {
                name: key.name().to_owned(),
                namespace: key.namespace().map(str::to_owned),
                ..ObjectMeta::default()
            };
            let value = record.map(|record| Value::new(Record { metadata, name, record }));
            wanted.insert(key, value);
        }
        self.writer.write(wanted).await
    }
}

fn key(owner: &str, name: &str) -> Result<Key, WriteError> {
    let mut escaped = key_name(name);
    if escaped.len() > LONGEST_NAME {
        let digest = Sha256::digest(name.as_bytes());
        // No escaped name has a label that begins so.
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        escaped = format!("digest.{}.{}", &digest[..32], &digest[32..]);
    }
    Key::new(&Record::KIND, Some(&key_name(owner)), &escaped)
        .map_err(|error| WriteError::Store { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use orch_core::store::{Claim as _, Store as _};
    use orch_store::MemoryStore;
    use serde_json::json;

    use super::*;

    async fn claim(store: &MemoryStore) -> Check {
        let key: Key = "leaders.example.org/leader".parse().expect("a key");
        let leader = Value::from_json(r#"{"metadata":{"name":"leader"}}"#.into());
        store.claim(&key, leader, Duration::from_secs(3600)).await.expect("claimed").check()
    }

    #[tokio::test]
    async fn what_is_written_is_read_by_the_next_scheduler_of_the_same_framework_alone() {
        let store = Arc::new(MemoryStore::default());
        let claim = claim(&store).await;
        let (mut records, empty) = Records::open(store.clone(), claim.clone(), "marathon").await.expect("opened");
        assert!(empty.is_empty());
        let long = format!("task/{}", "A".repeat(300));
        let changes = [("app//web", 1), ("app//db", 2), (&long, 3)];
        let changes = changes.map(|(name, value)| (name.to_owned(), Some(json!({ "value": value }))));
        records.write(Changes::from(changes)).await.expect("written");
        records
            .write(Changes::from([("app//db".to_owned(), None), ("never".to_owned(), None)]))
            .await
            .expect("written");
        records.write(Changes::from([("app//web".to_owned(), Some(json!(7)))])).await.expect("written");
        let (_, others) = Records::open(store.clone(), claim.clone(), "marathon-2").await.expect("opened");
        assert!(others.is_empty());
        let (_, read) = Records::open(store, claim, "marathon").await.expect("opened");
        assert_eq!(read, BTreeMap::from([("app//web".to_owned(), json!(7)), (long, json!({ "value": 3 }))]));
    }

    #[tokio::test]
    async fn who_leads_no_longer_writes_nothing() {
        let store = Arc::new(MemoryStore::default());
        let claim = claim(&store).await;
        let (mut records, _) = Records::open(store.clone(), claim.clone(), "marathon").await.expect("opened");
        let now = store.get(&claim.key).await.expect("read").expect("there");
        store.delete(&claim.key, now.revision).await.expect("deleted");
        let late = Changes::from([("app//web".to_owned(), Some(json!(1)))]);
        assert_eq!(records.write(late).await, Err(WriteError::Lost));
        let (_, read) = Records::open(store, claim, "marathon").await.expect("opened");
        assert!(read.is_empty());
    }
}
