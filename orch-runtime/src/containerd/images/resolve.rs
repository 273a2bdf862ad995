//! [`Resolved`]: an image, as containers are started from it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_core::runtime::ImageName;

use super::super::accounts::Accounts;
use super::super::client::Client;
use super::super::config::Snapshotter;
use super::super::convert::ImageDefaults;
use super::super::error::{Failure, Meaning, Unless as _};
use super::super::wire::{self, Descriptor, GetMounts, PrepareSnapshot, RemoveSnapshot};
use super::content;
use super::manifest::{self, Config, DOCUMENT_LIMIT, Digest, Index, Manifest};

/// How many images are remembered: more than a node has in use.
const REMEMBERED: usize = 1_000;

/// An image, as containers are started from it.
#[derive(Debug)]
pub(in super::super) struct Resolved {
    /// Its content, by the digest of its configuration.
    pub(in super::super) id: String,
    /// Its manifest's digest.
    pub(super) target: Digest,
    pub(super) manifest: Manifest,
    pub(super) config: Config,
    /// The file system that its containers begin with; empty if it has no layers.
    pub(in super::super) root: String,
}

impl Resolved {
    pub(in super::super) fn defaults(&self) -> &ImageDefaults {
        &self.config.config
    }

    pub(super) fn size(&self) -> u64 {
        self.manifest.size()
    }
}

/// What was read of images. It is named by its content, and so never wrong.
#[derive(Debug, Default)]
pub(in super::super) struct Cache {
    resolved: Mutex<BTreeMap<String, Arc<Resolved>>>,
    accounts: Mutex<BTreeMap<String, Accounts>>,
}

/// The image of a name; `None` if the node has none, or it is not whole.
pub(in super::super) async fn by_name(
    client: &Client,
    cache: &Cache,
    name: &ImageName,
) -> Result<Option<Arc<Resolved>>, Failure> {
    let found = client.call(wire::GetImage { name: name.to_string() }).await.unless_missing()?;
    match found.and_then(|found| found.image).and_then(|image| image.target) {
        Some(target) => by_target(client, cache, &target).await,
        None => Ok(None),
    }
}

/// The image that containerd has under a name.
pub(super) async fn by_target(
    client: &Client,
    cache: &Cache,
    target: &Descriptor,
) -> Result<Option<Arc<Resolved>>, Failure> {
    if let Some(known) = lock(&cache.resolved).get(&target.digest) {
        return Ok(Some(Arc::clone(known)));
    }
    let digest = Digest::try_from(target.digest.clone()).map_err(refused)?;
    let Some(resolved) = resolve(client, digest).await? else { return Ok(None) };
    let resolved = Arc::new(resolved);
    remember(&cache.resolved, target.digest.clone(), Arc::clone(&resolved));
    Ok(Some(resolved))
}

/// The users and groups that an image knows.
pub(in super::super) async fn accounts(
    client: &Client,
    cache: &Cache,
    snapshotter: Snapshotter,
    image: &Resolved,
) -> Result<Accounts, Failure> {
    if let Some(known) = lock(&cache.accounts).get(&image.root) {
        return Ok(known.clone());
    }
    let snapshotter = snapshotter.as_str().to_owned();
    let key = format!("accounts {}", image.root);
    let (parent, labels) = (image.root.clone(), BTreeMap::new());
    let prepared = PrepareSnapshot { snapshotter: snapshotter.clone(), key: key.clone(), parent, labels };
    // Another process may be looking, too, or may have died meanwhile.
    let mounts = match client.call(prepared).await.unless_exists()? {
        Some(mounts) => mounts,
        None => client.call(GetMounts { snapshotter: snapshotter.clone(), key: key.clone() }).await?,
    };
    let read = tokio::task::spawn_blocking(move || Accounts::read(&mounts.mounts)).await;
    client.call(RemoveSnapshot { snapshotter, key }).await.unless_missing()?;
    let accounts = read.map_err(|error| Failure::new(Meaning::Transient, error.to_string()))?;
    remember(&cache.accounts, image.root.clone(), accounts.clone());
    Ok(accounts)
}

async fn resolve(client: &Client, mut digest: Digest) -> Result<Option<Resolved>, Failure> {
    // An index may be in an index, but not without end.
    for _ in 0..4 {
        let Some(bytes) = content::read(client, &digest, DOCUMENT_LIMIT).await? else { return Ok(None) };
        if let Ok(index) = manifest::read::<Index>("index", &bytes) {
            digest = index.for_this_machine().map_err(refused)?.digest.clone();
            continue;
        }
        let manifest = Manifest::read(&bytes).map_err(refused)?;
        let Some(bytes) = content::read(client, &manifest.config.digest, DOCUMENT_LIMIT).await? else {
            return Ok(None);
        };
        let config = Config::read(&bytes, &manifest).map_err(refused)?;
        let (id, root) = (manifest.config.digest.to_string(), config.chain().pop().unwrap_or_default());
        return Ok(Some(Resolved { id, target: digest, manifest, config, root }));
    }
    Err(refused("its index leads from one index to the next".to_owned()))
}

fn refused(message: String) -> Failure {
    Failure::new(Meaning::Refused, format!("not a usable image: {message}"))
}

fn remember<T>(known: &Mutex<BTreeMap<String, T>>, key: String, value: T) {
    let mut known = lock(known);
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(key, value);
}

/// A panic while the lock is held leaves nothing half done: every critical section here is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
