//! [`import`]: images from an archive, for nodes that are to have them without a registry.

use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use futures::stream;
use orch_core::runtime::ImageError;
use tokio::io::AsyncReadExt as _;

use super::{NodeBundle, RuntimeKind};
use crate::show::Voice;

/// As much of an archive as is read at a time.
const PIECE: usize = 256 << 10;

/// Takes images from an archive, for each of the nodes.
pub(super) async fn import(nodes: &[NodeBundle], archive: &Path, voice: &Voice) -> Result<(), ImportError> {
    // The nodes of one Docker daemon have the same images.
    let shared = nodes.first().is_some_and(|node| node.kind() == RuntimeKind::Docker);
    for node in nodes.iter().take(if shared { 1 } else { usize::MAX }) {
        let Some(images) = node.images() else { return Err(ImportError::NoImages) };
        let unreadable = |source| ImportError::File { path: archive.to_owned(), source };
        let file = tokio::fs::File::open(archive).await.map_err(unreadable)?;
        let pieces = stream::unfold(file, |mut file| async move {
            let mut piece = vec![0; PIECE];
            match file.read(&mut piece).await {
                Ok(0) => None,
                Ok(length) => {
                    piece.truncate(length);
                    Some((Ok(piece.into()), file))
                }
                Err(error) => Some((Err(error), file)),
            }
        });
        let failed = |source| ImportError::Archive { path: archive.to_owned(), node: node.name().to_owned(), source };
        let imported = images.import(pieces.boxed()).await.map_err(failed)?;
        for image in imported {
            let names: Vec<String> = image.names.iter().map(ToString::to_string).collect();
            let on = if shared { "every node" } else { node.name() };
            voice.say(&format!("{on} has the image {}", names.join(", ")));
        }
    }
    Ok(())
}

/// Why images could not be taken from an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ImportError {
    /// Processes have no images.
    #[error("--image-archive is for --runtime docker or containerd: processes are started from no image")]
    NoImages,
    /// The file.
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// What is in it.
    #[error("cannot take images from {} for {node}: {source}", path.display())]
    Archive { path: PathBuf, node: String, source: ImageError },
}
