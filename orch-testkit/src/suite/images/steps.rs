//! The words in which the clauses are written.

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use orch_core::runtime::{ArchiveStream, Image, ImageError, ImageName, Images};

use crate::suite::runtime::steps::PATIENCE;

/// A name that no registry has.
pub(super) fn name(tag: &str) -> ImageName {
    format!("registry.invalid/orch/suite:{tag}").parse().expect("a valid name")
}

/// The bytes of an archive, cut into pieces.
pub(super) fn stream(bytes: &[u8]) -> ArchiveStream {
    let pieces: Vec<_> = bytes.chunks(50_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

/// Imports, within the suite's patience.
pub(super) async fn import(images: &dyn Images, archive: ArchiveStream) -> Result<Vec<Image>, ImageError> {
    let result = tokio::time::timeout(PATIENCE, images.import(archive)).await;
    result.unwrap_or_else(|_| panic!("I5: an import comes to an end, and not after {PATIENCE:?}"))
}

/// Imports an archive of one image.
pub(super) async fn imported(images: &dyn Images, archive: &[u8]) -> Image {
    let imported = import(images, stream(archive)).await.unwrap_or_else(|error| panic!("it can be imported: {error}"));
    let [image] = &imported[..] else { panic!("there is one image in it, not {imported:?}") };
    image.clone()
}

/// The image of a name.
pub(super) async fn find(images: &dyn Images, name: &ImageName) -> Option<Image> {
    images.find(name).await.expect("the images can be asked for")
}

/// Whether there is an image of this content.
pub(super) async fn is_listed(images: &dyn Images, id: &str) -> bool {
    let list = images.list().await.expect("the images can be listed");
    assert!(list.is_sorted_by(|a, b| a.id < b.id), "images are ordered by id, each once: {list:?}");
    list.iter().any(|image| image.id == id)
}
