//! Images from archives.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use orch_core::runtime::{ArchiveStream, Image, ImageError, ImageName};

use super::client::Call;
use super::convert::image_reference;
use super::error::Failure;
use super::{Shared, wire};

/// A block of a tar file: what is looked at before anything is sent.
const BLOCK: usize = 512;
/// What begins the lines that tell what was loaded.
const LOADED: &str = "Loaded image: ";
const LOADED_NAMELESS: &str = "Loaded image ID: ";

impl Shared {
    /// Docker itself reads the archive, of the kinds that its version knows, onto its disk, and takes the images from there when it is complete.
    pub(super) async fn import(&self, mut archive: ArchiveStream) -> Result<Vec<Image>, ImageError> {
        let begin = begin(&mut archive).await?;
        if !is_archive(&begin) {
            let message = "it is no tar file, compressed by gzip or not: give one as `docker save` writes it";
            return Err(ImageError::Invalid { message: message.to_owned() });
        }
        let before = self.list_images().await?;
        let bytes = stream::iter([Ok(begin)]).chain(archive);
        let call = Call::post("/images/load").query("quiet", "1").tar(bytes);
        let mut loaded = Loaded::default();
        let result = self.load(call, &mut loaded).await;
        let result = match result {
            Ok(()) if loaded.names.is_empty() => {
                Err(invalid("there is no image with a name in it: name one in `docker save NAME`"))
            }
            result => result,
        };
        if let Err(error) = result {
            self.undo(&loaded, &before).await?;
            return Err(error);
        }
        let mut images = Vec::new();
        for name in &loaded.names {
            match self.find_image(&image_reference(name)).await? {
                Some(image) if images.contains(&image) => {}
                Some(image) => images.push(image),
                None => return Err(invalid(&format!("{name} was removed while it was imported: import it again"))),
            }
        }
        Ok(images)
    }

    async fn load(&self, call: Call, loaded: &mut Loaded) -> Result<(), ImageError> {
        let mut said = self.client.objects_both_ways::<wire::Progress>(call).await.map_err(refused)?;
        while let Some(progress) = said.next().await {
            let progress = progress.map_err(refused)?;
            if !progress.error.is_empty() {
                return Err(refused(Failure::of_status(http::StatusCode::BAD_REQUEST, progress.error)));
            }
            loaded.note(&progress.stream);
        }
        Ok(())
    }

    /// Takes back what was loaded before something went wrong, as far as it was not there before.
    async fn undo(&self, loaded: &Loaded, before: &[Image]) -> Result<(), Failure> {
        let was_there = |name: &ImageName| before.iter().any(|image| image.names.contains(name));
        let names = loaded.names.iter().filter(|name| !was_there(name)).map(image_reference);
        let ids = loaded.ids.iter().filter(|id| before.iter().all(|image| image.id != **id)).cloned();
        for reference in names.chain(ids) {
            match self.client.tell(Call::delete(format!("/images/{reference}"))).await {
                // It is used already, or has another name.
                Err(failure) if failure.is_not_found() || failure.is_conflict() => {}
                result => drop(result?),
            }
        }
        Ok(())
    }
}

/// What Docker said that it loaded.
#[derive(Debug, Default)]
struct Loaded {
    names: Vec<ImageName>,
    /// Of what has no name.
    ids: Vec<String>,
}

impl Loaded {
    fn note(&mut self, said: &str) {
        for line in said.lines() {
            if let Some(Ok(name)) = line.strip_prefix(LOADED).map(|name| name.trim().parse()) {
                self.names.push(name);
            } else if let Some(id) = line.strip_prefix(LOADED_NAMELESS) {
                self.ids.push(id.trim().to_owned());
            }
        }
    }
}

/// The first block, and what came with it.
async fn begin(archive: &mut ArchiveStream) -> Result<Bytes, ImageError> {
    let mut begin = BytesMut::new();
    while begin.len() < BLOCK
        && let Some(piece) = archive.next().await
    {
        begin.extend_from_slice(&piece.map_err(|error| Failure::of_own(format!("cannot read the archive: {error}")))?);
    }
    Ok(begin.freeze())
}

/// Whether it can be an archive: compressed by gzip, or the header of a file with the sum that belongs to it.
fn is_archive(begin: &[u8]) -> bool {
    const SUM: std::ops::Range<usize> = 148..156;
    if begin.starts_with(b"\x1f\x8b") {
        return true;
    }
    let Some(header) = begin.get(..BLOCK) else { return false };
    let told = std::str::from_utf8(&header[SUM]).unwrap_or_default();
    let told = u32::from_str_radix(told.trim_matches([' ', '\0']), 8);
    let sum = |(at, byte): (usize, &u8)| u32::from(if SUM.contains(&at) { b' ' } else { *byte });
    told == Ok(header.iter().enumerate().map(sum).sum())
}

fn invalid(message: &str) -> ImageError {
    ImageError::Invalid { message: message.to_owned() }
}

/// Docker does not tell an archive that is damaged from a disk that is full but by its words.
fn refused(failure: Failure) -> ImageError {
    let full = ["no space left", "disk quota exceeded", "read-only file system"];
    // Docker before 25 looks for files that only `docker save` writes, and says that there are none.
    let is_other = failure.message.contains("json: no such file or directory");
    match failure.status {
        Some(_) if is_other => invalid(
            "this Docker reads only archives as `docker save` writes them, and there is none in it: convert the archive, or \
             use Docker 25 or later for OCI layouts",
        ),
        Some(_) if !full.iter().any(|words| failure.message.contains(words)) => {
            invalid(&format!("Docker cannot read the archive: {}", failure.message))
        }
        _ => failure.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox_image;

    #[test]
    fn an_archive_is_known_by_its_begin() {
        assert!(is_archive(&sandbox_image::archive()));
        assert!(is_archive(b"\x1f\x8b\x08"));
        let mut damaged = sandbox_image::archive();
        damaged[0] ^= 1;
        for bytes in [&b""[..], b"text", &[0; 10_240], &[0xff; 512], &damaged] {
            assert!(!is_archive(bytes));
        }
    }

    #[test]
    fn a_damaged_archive_is_told_from_a_full_disk_and_from_one_of_another_kind() {
        let refused = |message: &str| refused(Failure::of_status(http::StatusCode::BAD_REQUEST, message.to_owned()));
        let of_another_kind = refused("open /var/lib/docker/tmp/docker-import-1/blobs/json: no such file or directory");
        assert!(of_another_kind.to_string().contains("OCI layout"), "{of_another_kind}");
        assert!(matches!(refused("unexpected EOF"), ImageError::Invalid { .. }));
        assert!(matches!(refused("write /x: no space left on device"), ImageError::Unavailable { .. }));
    }

    #[test]
    fn what_was_loaded_is_read_from_what_docker_says() {
        let mut loaded = Loaded::default();
        loaded.note("Loaded image: web:1\n");
        loaded.note("The image web:1 already exists, renaming the old one with ID sha256:1 to empty string\n");
        loaded.note("Loaded image ID: sha256:2\n");
        assert_eq!(
            (loaded.names[0].to_string().as_str(), &loaded.ids[..]),
            ("docker.io/library/web:1", &["sha256:2".to_owned()][..])
        );
    }
}
