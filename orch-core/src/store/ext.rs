//! [`StoreExt`]: typed reads on any store.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;

use super::{ListFrom, ListOptions, Store, StoreError};
use crate::key::{Key, Prefix};
use crate::kind::Object;
use crate::revision::Revision;

/// Reads as the caller's own types. Every store has it.
///
/// Writes are on [`Client`](crate::client::Client), which applies the rules that every write obeys.
#[async_trait]
pub trait StoreExt: Store {
    /// The object at `key`, or `None`.
    ///
    /// # Errors
    /// As [`Store::get`], and [`StoreError::Corrupt`] when what stands there is no `T`.
    async fn get_as<T: Object>(&self, key: &Key) -> Result<Option<Arc<T>>, StoreError> {
        match self.get(key).await? {
            Some(entry) => Ok(Some(decode(&entry)?)),
            None => Ok(None),
        }
    }

    /// All objects under `prefix`, and the revision at which they were listed. Reads page by page.
    ///
    /// # Errors
    /// As [`Store::list`], and [`StoreError::Corrupt`] when one of them is no `T`.
    async fn list_as<T: Object>(&self, prefix: &Prefix) -> Result<(Vec<Arc<T>>, Revision), StoreError> {
        const PAGE: NonZeroUsize = NonZeroUsize::new(1_000).expect("not zero");
        let mut objects = Vec::new();
        let mut from = ListFrom::Latest;
        loop {
            let page = self.list(prefix, ListOptions { limit: Some(PAGE), from }).await?;
            for entry in &page.entries {
                objects.push(decode(entry)?);
            }
            match page.next {
                Some(next) => from = ListFrom::Continue(next),
                None => return Ok((objects, page.revision)),
            }
        }
    }
}

impl<S: Store + ?Sized> StoreExt for S {}

fn decode<T: Object>(entry: &super::Entry) -> Result<Arc<T>, StoreError> {
    entry.decode().map_err(|source| StoreError::Corrupt { key: entry.key.clone(), source })
}
