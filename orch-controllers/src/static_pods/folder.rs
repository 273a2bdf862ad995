//! [`PodFolder`]: a folder of manifests.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::encoding::{Kinds, OBJECT_BYTES_MAX};
use orch_core::object::Pod;

use super::source::{FilePod, PodFile, PodSource, PodSourceError};
use crate::name_hash;

/// The manifests of a folder: its files that end in `.yaml`, `.yml` or `.json`, each with one or several pods.
///
/// What begins with a dot is passed over, and so is what editors leave behind (`web.yaml~`, `.web.yaml.swp`, `#web.yaml#`):
/// it has another ending. Folders in the folder are not searched. A link is followed as long as it stays in the folder:
/// that is how a mounted ConfigMap is laid out, `web.yaml` leading to `..data/web.yaml` and `..data` to the folder of a
/// version.
///
/// A file counts when it was found the same twice, a tenth of a second apart: while it is written, half of it may be a
/// manifest too. Who moves a finished file into the folder need not care.
#[derive(Debug)]
pub struct PodFolder {
    path: PathBuf,
    kinds: Kinds,
    /// What the texts were that were taken last.
    seen: Mutex<Option<u64>>,
}

/// Most files.
const FILES_MAX: usize = 250;
/// How long files must stay as they are before they count.
const SETTLED_AFTER: Duration = Duration::from_millis(100);
/// How often one waits for that. Of a file that is written all the time the next look may see more.
const WAITS_MAX: usize = 10;

type Texts = Result<Vec<(String, Result<String, PodSourceError>)>, PodSourceError>;

impl PodFolder {
    /// The folder at `path`, which need not be there yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let kinds = Kinds::default().with::<Pod>().in_namespace("default");
        Self { path: path.into(), kinds, seen: Mutex::default() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The texts of all files, unless they are being written right now.
    async fn settled(&self) -> Texts {
        let mut texts = self.look().await;
        let seen = *self.lock();
        if seen != Some(hash(&texts)) {
            for _ in 0..WAITS_MAX {
                tokio::time::sleep(SETTLED_AFTER).await;
                let again = self.look().await;
                let is_settled = again == texts;
                texts = again;
                if is_settled {
                    break;
                }
            }
            *self.lock() = Some(hash(&texts));
        }
        texts
    }

    async fn look(&self) -> Texts {
        let path = self.path.clone();
        let looked = tokio::task::spawn_blocking(move || texts(&path)).await;
        looked.unwrap_or_else(|error| Err(PodSourceError::Unreadable { message: error.to_string() }))
    }

    fn read(&self, text: &str) -> Result<Vec<FilePod>, PodSourceError> {
        let objects = self.kinds.read(text).map_err(|errors| PodSourceError::Invalid { errors })?;
        let pods = objects
            .into_iter()
            .filter_map(|item| Some(FilePod { line: item.line, pod: item.object.downcast_ref::<Pod>()?.clone() }));
        let pods: Vec<FilePod> = pods.collect();
        if pods.is_empty() { Err(PodSourceError::Empty) } else { Ok(pods) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<u64>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PodSource for PodFolder {
    async fn files(&self) -> Result<Vec<PodFile>, PodSourceError> {
        let files = self.settled().await?.into_iter();
        Ok(files.map(|(name, text)| PodFile { name, pods: text.and_then(|text| self.read(&text)) }).collect())
    }
}

/// The texts of all manifests in a folder, in the order of their names.
fn texts(folder: &Path) -> Texts {
    let unreadable = |error: io::Error| {
        let message = format!("{}: {error}", folder.display());
        PodSourceError::Unreadable { message }
    };
    let root = fs::canonicalize(folder).map_err(unreadable)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(&root).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let shown = name.to_string_lossy().into_owned();
        if is_manifest(&shown) {
            if files.len() == FILES_MAX {
                return Err(PodSourceError::TooManyFiles { limit: FILES_MAX });
            }
            files.push((shown, root.join(name)));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(name, path)| (name, text(&root, &path))).collect())
}

fn is_manifest(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    !name.starts_with('.') && matches!(ending, Some("yaml" | "yml" | "json"))
}

fn text(root: &Path, path: &Path) -> Result<String, PodSourceError> {
    let unreadable = |error: io::Error| PodSourceError::Unreadable { message: error.to_string() };
    let path = fs::canonicalize(path).map_err(unreadable)?;
    if !path.starts_with(root) {
        return Err(PodSourceError::LeadsOut);
    }
    // Before it is opened: to open a pipe is to wait for a writer.
    if !fs::metadata(&path).map_err(unreadable)?.is_file() {
        return Err(PodSourceError::NotAFile);
    }
    let mut text = Vec::new();
    let limit = OBJECT_BYTES_MAX as u64 + 1;
    File::open(&path).map_err(unreadable)?.take(limit).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() > OBJECT_BYTES_MAX {
        return Err(PodSourceError::TooLarge { limit: OBJECT_BYTES_MAX });
    }
    String::from_utf8(text).map_err(|error| PodSourceError::NotText { valid_up_to: error.utf8_error().valid_up_to() })
}

fn hash(texts: &Texts) -> u64 {
    let text = |text: &Result<String, PodSourceError>| match text {
        Ok(text) => text.clone(),
        Err(error) => error.to_string(),
    };
    let parts: Vec<String> = match texts {
        Ok(files) => files.iter().flat_map(|(name, content)| [name.clone(), text(content)]).collect(),
        Err(error) => vec![error.to_string()],
    };
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    name_hash::hash(&parts)
}

#[cfg(test)]
mod tests;
