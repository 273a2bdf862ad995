//! What the store itself says, for what cannot be taken back.

use std::num::NonZeroUsize;

use orch_core::client::ClientError;
use orch_core::controller::ControllerError;
use orch_core::key::{Key, Prefix};
use orch_core::kind::{AnyObject, Scope};
use orch_core::object::Uid;
use orch_core::store::{Entry, ListFrom, ListOptions, Store, StoreError};
use std::sync::Arc;

use super::OwnedKind;
use super::plan::Hold;

const PAGE: NonZeroUsize = NonZeroUsize::new(500).expect("not zero");

/// Whether no object with this uid is at `key`.
pub(super) async fn is_gone(
    store: &dyn Store,
    owned: &OwnedKind,
    key: &Key,
    uid: &Uid,
) -> Result<bool, ControllerError> {
    match store.get(key).await.map_err(ClientError::from)? {
        Some(entry) => Ok(decode(owned, &entry)?.metadata().uid.as_ref() != Some(uid)),
        None => Ok(true),
    }
}

/// Whether an object of the kind holds `owner`. An object that cannot be read is an error: it may hold it.
pub(super) async fn any_held(
    store: &dyn Store,
    owned: &OwnedKind,
    owner: &dyn AnyObject,
    hold: Hold,
) -> Result<bool, ControllerError> {
    let metadata = owner.metadata();
    let Some(uid) = &metadata.uid else { return Ok(true) };
    let prefix = match (metadata.namespace.as_deref(), owned.kind.scope) {
        (None, _) => Prefix::collection(owned.kind),
        (Some(namespace), Scope::Namespaced) => Prefix::namespace(owned.kind, namespace)?,
        // An owner in a namespace owns nothing outside of it.
        (Some(_), Scope::Cluster) => return Ok(false),
    };
    let mut from = ListFrom::Latest;
    loop {
        let page = store.list(&prefix, ListOptions { limit: Some(PAGE), from }).await.map_err(ClientError::from)?;
        for entry in &page.entries {
            if hold.is_by(decode(owned, entry)?.metadata(), uid) {
                return Ok(true);
            }
        }
        match page.next {
            Some(next) => from = ListFrom::Continue(next),
            None => return Ok(false),
        }
    }
}

fn decode(owned: &OwnedKind, entry: &Entry) -> Result<Arc<dyn AnyObject>, ClientError> {
    let object = (owned.decoder)(&entry.value);
    Ok(object.map_err(|source| StoreError::Corrupt { key: entry.key.clone(), source })?)
}
