//! The output of containers that cannot write it into their sandbox by themselves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt as _;
use orch_core::runtime::{ContainerId, Interactive, LogOptions};
use tokio::io::AsyncWriteExt as _;

/// Copies what a container writes into the file `stdout` of its sandbox, from its beginning to its end.
pub(super) async fn copy(runtime: Arc<dyn Interactive>, id: ContainerId, sandbox: PathBuf) {
    if let Err(error) = try_copy(runtime, &id, &sandbox).await {
        tracing::warn!(%id, "not all output is in {}: {error}", sandbox.display());
    }
}

async fn try_copy(runtime: Arc<dyn Interactive>, id: &ContainerId, sandbox: &Path) -> Result<(), String> {
    let options = LogOptions { follow: true, ..LogOptions::default() };
    let mut output = runtime.logs(id, options).await.map_err(|error| error.to_string())?;
    // A file of its own in place of what is there: the container may have put a link there.
    let (part, whole) = (sandbox.join(".stdout"), sandbox.join("stdout"));
    let remove = tokio::fs::remove_file(&part).await;
    remove.or_else(gone_is_fine).map_err(|error| error.to_string())?;
    let mut options = tokio::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).open(&part).await;
    let mut file = file.map_err(|error| error.to_string())?;
    tokio::fs::rename(&part, &whole).await.map_err(|error| error.to_string())?;
    while let Some(piece) = output.next().await {
        let piece = piece.map_err(|error| error.to_string())?;
        file.write_all(&piece).await.map_err(|error| error.to_string())?;
        file.flush().await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn gone_is_fine(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
