//! Reads a manifest file, and notices when it changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orch_core::encoding::{Kinds, MANIFEST_BYTES_MAX, ManifestErrors};
use orch_core::kind::AnyObject;
use tokio::io::AsyncReadExt as _;

/// How often the file is looked at. Looking works with every editor and every file system, and costs one read of a
/// small file.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long the file must stay as it is before it counts: while an editor writes it, it is missing, empty or half there.
const SETTLED_AFTER: Duration = Duration::from_millis(100);

/// A manifest file that may change at any time.
#[derive(Debug)]
pub(crate) struct ManifestFile {
    path: PathBuf,
    kinds: Kinds,
    seen: Option<Seen>,
}

#[derive(Debug, PartialEq)]
enum Seen {
    Text(Vec<u8>),
    Unreadable(String),
}

impl ManifestFile {
    /// The file at `path`, whose objects are of these kinds.
    pub(crate) fn new(path: PathBuf, kinds: Kinds) -> Self {
        Self { path, kinds, seen: None }
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The objects in the file, as soon as it is not as it was at the last call; at once at the first. May be dropped
    /// at any point.
    pub(crate) async fn changed(&mut self) -> Result<Vec<Arc<dyn AnyObject>>, ManifestFileError> {
        loop {
            let now = self.look().await;
            if self.seen.as_ref() != Some(&now) {
                tokio::time::sleep(SETTLED_AFTER).await;
                if self.look().await == now {
                    let result = self.parse(&now);
                    self.seen = Some(now);
                    return result;
                }
                continue;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&self) -> Seen {
        let read = async {
            let mut text = Vec::new();
            let limit = MANIFEST_BYTES_MAX as u64 + 1;
            tokio::fs::File::open(&self.path).await?.take(limit).read_to_end(&mut text).await?;
            std::io::Result::Ok(text)
        };
        match read.await {
            Ok(text) => Seen::Text(text),
            Err(error) => Seen::Unreadable(error.to_string()),
        }
    }

    fn parse(&self, seen: &Seen) -> Result<Vec<Arc<dyn AnyObject>>, ManifestFileError> {
        let path = self.path.clone();
        match seen {
            Seen::Unreadable(message) => Err(ManifestFileError::Unreadable { path, message: message.clone() }),
            Seen::Text(text) if text.len() > MANIFEST_BYTES_MAX => {
                let message = format!("it is longer than {MANIFEST_BYTES_MAX} bytes; split it");
                Err(ManifestFileError::Unreadable { path, message })
            }
            Seen::Text(text) => {
                let text = str::from_utf8(text).map_err(|error| ManifestFileError::Unreadable {
                    path: path.clone(),
                    message: format!("byte {} is not UTF-8 text", error.valid_up_to()),
                })?;
                match self.kinds.read(text) {
                    Ok(objects) if objects.is_empty() => Err(ManifestFileError::Empty { path }),
                    Ok(objects) => Ok(objects.into_iter().map(|item| item.object).collect()),
                    Err(errors) => Err(ManifestFileError::Invalid { path, errors }),
                }
            }
        }
    }
}

/// Why a manifest file has no objects for us. It is shown one error to a line, each with the file's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ManifestFileError {
    /// It is not there, or no text.
    #[error("{}: cannot read it: {message}", path.display())]
    Unreadable { path: PathBuf, message: String },
    /// Nothing stands in it. That everything is to be deleted is too much to conclude from it.
    #[error("{}: it holds no object; to stop everything, press Ctrl-C", path.display())]
    Empty { path: PathBuf },
    /// What stands in it.
    #[error("{}", errors.errors.iter().map(|error| format!("{}: {error}", path.display())).collect::<Vec<_>>().join("\n"))]
    Invalid { path: PathBuf, errors: ManifestErrors },
}
