//! Backups: [`write`] makes one while the store is in use, [`restore`] makes a store of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_core::key::Prefix;
use orch_core::revision::Revision;
use orch_core::store::ListOptions;
use tokio::sync::oneshot;

use super::checkpoint::{self, Contents};
use super::claims::Claims;
use super::disk::{Disk, Folder};
use super::files;
use super::format::header::{End, FileKind, Header};
use super::log::{Durability, Failure, Log};
use super::recovery::{self, Reader};
use super::replay::Replay;
use super::shared::Shared;
use super::{EmbeddedStoreConfig, EmbeddedStoreError};
use crate::mvcc::Mvcc;
use crate::mvcc::snapshot::Snapshot;

/// By how much the revisions of a restored store are ahead of its backup's.
///
/// Between the backup and whatever made it needed, the old store handed out revisions. Were they used again, a client
/// that saw one would take up its watch in another history, and miss changes without a word. So the new store begins far
/// after all of them, with that history compacted away, and the client is told to list again. (etcd's tool asks for the
/// same by `--bump-revision` and `--mark-compacted`.) Many years of writes fit between, and many restores into the rest.
pub(super) const AHEAD: u64 = 1 << 40;

/// The segment that a backup says it has.
const SEGMENT: u64 = 1;

/// Runs what waits for the disk in a thread of its own.
pub(super) async fn aside<T: Send + 'static>(
    path: &Path,
    run: impl FnOnce() -> Result<T, EmbeddedStoreError> + Send + 'static,
) -> Result<T, EmbeddedStoreError> {
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::Builder::new().name("orch-store-open".to_owned());
    let started = thread.spawn(move || {
        // Who dropped the future does not want it.
        let _ = sender.send(run());
    });
    started.map_err(|source| EmbeddedStoreError::io("start a thread for", path, source))?;
    let panicked = |_| EmbeddedStoreError::io("finish with", path, std::io::Error::other("the thread panicked"));
    receiver.await.map_err(panicked)?
}

/// Writes all that there is at one revision into a new file, which is there wholly or not at all.
pub(super) async fn write(shared: Arc<Shared>, to: PathBuf) -> Result<Revision, EmbeddedStoreError> {
    let path = to.clone();
    aside(&path, move || {
        let (disk, name) = place(&to)?;
        let contents = shared.contents();
        let header = Header {
            kind: FileKind::Checkpoint,
            synced: true,
            store: shared.store,
            segment: SEGMENT,
            after: contents.snapshot.base,
            previous: End::default(),
        };
        let written = checkpoint::write(&disk, &name, header, &contents, &|| false);
        written.map_err(|source| EmbeddedStoreError::io("write the backup", &to, source))?;
        Ok(contents.snapshot.revision)
    })
    .await
}

/// The folder of a file that is not there yet, and the file's name.
fn place(to: &Path) -> Result<(Folder, String), EmbeddedStoreError> {
    match to.try_exists() {
        Ok(false) => {}
        Ok(true) => return Err(EmbeddedStoreError::Occupied { path: to.to_owned() }),
        Err(source) => return Err(EmbeddedStoreError::io("look for", to, source)),
    }
    let name = to.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let no_name = || std::io::Error::new(std::io::ErrorKind::InvalidInput, "it has no name in plain text");
    let name = name.ok_or_else(|| EmbeddedStoreError::io("write the backup", to, no_name()))?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((Folder::shared(parent), name))
}

/// Makes a store of a backup.
pub(super) fn restore(from: &Path, into: &Path) -> Result<Revision, EmbeddedStoreError> {
    let is_free = match std::fs::read_dir(into) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(source) => return Err(EmbeddedStoreError::io("look into", into, source)),
    };
    if !is_free {
        return Err(EmbeddedStoreError::Occupied { path: into.to_owned() });
    }
    let contents = read(from)?;
    let disk: Arc<dyn Disk> = Arc::new(Folder::locked(into)?);
    let header = Header {
        kind: FileKind::Log,
        synced: true,
        store: recovery::new_identity(),
        segment: SEGMENT,
        after: contents.snapshot.base,
        previous: End::default(),
    };
    // The checkpoint comes last: without it, what is in the folder is no store, and restoring again is refused.
    let failed = |source| EmbeddedStoreError::io("write", into, source);
    Log::create(Arc::clone(&disk), Durability::Synced, header).map_err(|failure| match failure {
        Failure::NotWritten(error) | Failure::Unknown(error) => failed(error),
    })?;
    checkpoint::write(&*disk, &files::checkpoint(SEGMENT), header, &contents, &|| false).map_err(failed)?;
    Ok(contents.snapshot.revision)
}

/// Reads all of a backup: its objects as they were, at a revision that nobody has seen.
fn read(from: &Path) -> Result<Contents, EmbeddedStoreError> {
    let name = from.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let parent = from.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let disk = Folder::shared(parent);
    let config = EmbeddedStoreConfig::new(parent);
    let (mvcc, claims) = (Mvcc::new(config.history, config.progress_every), Claims::default());
    let replay = Replay { mvcc: &mvcc, claims: &claims };
    Reader { disk: &disk, replay, store: None }.checkpoint(name, SEGMENT)?;
    let page = mvcc.read().list(&Prefix::all(), &ListOptions::default());
    let page = page.expect("the latest revision can always be listed");
    let revision = Revision(page.revision.0.saturating_add(AHEAD));
    let objects = page.entries.into_iter().collect();
    let snapshot = Snapshot { objects, base: revision, oldest: revision, changes: Vec::new(), revision };
    Ok(Contents { snapshot, claims: claims.all() })
}
