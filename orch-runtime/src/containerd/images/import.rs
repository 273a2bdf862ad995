//! [`import`]: images from an archive.

use std::collections::BTreeMap;

use bytes::Bytes;
use orch_core::runtime::{ArchiveStream, Image, ImageError, ImageName};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::Shared;
use super::super::client::Client;
use super::super::error::{Failure, Meaning};
use super::archive::{Archive, invalid};
use super::content::{self, Writer};
use super::lease::Lease;
use super::manifest::{self, CONFIG, DOCUMENT_LIMIT, Digest, Index, LAYER, LAYER_GZIP, MANIFEST, Manifest, Part};
use super::records;
use super::tar::Kind;

/// How many links may follow one another.
const MOST_LINKS: usize = 4;

/// What `docker save` writes down.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// What is in an archive, by its path.
enum Entry {
    File(File),
    Link(String),
}

#[derive(Clone, Debug)]
struct File {
    digest: Digest,
    size: u64,
    is_gzip: bool,
}

/// Takes images from an archive. Its files become content as they come; what is not part of an image is collected when the
/// lease ends.
pub(super) async fn import(shared: &Shared, source: ArchiveStream) -> Result<Vec<Image>, ImageError> {
    let lease = Lease::take(&shared.client).await?;
    let imported = import_leased(shared, &lease, source).await;
    lease.give_back().await?;
    imported
}

async fn import_leased(shared: &Shared, lease: &Lease, source: ArchiveStream) -> Result<Vec<Image>, ImageError> {
    let mut archive = Archive::open(source, shared.config.image_bytes).await?;
    let mut entries = BTreeMap::new();
    while let Some(header) = archive.next().await? {
        let entry = match header.kind {
            Kind::File => Entry::File(keep(&shared.client, lease, &mut archive).await?),
            Kind::Hardlink => Entry::Link(normal(&header.link)),
            Kind::Symlink => {
                let folder = header.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                Entry::Link(normal(&format!("{folder}/{}", header.link)))
            }
            _ => continue,
        };
        entries.insert(normal(&header.path), entry);
    }
    let found = if let Some(saved) = document::<Vec<Saved>>(shared, &entries, "manifest.json").await? {
        from_saved(shared, lease, &entries, saved).await?
    } else if let Some(index) = document::<Index>(shared, &entries, "index.json").await? {
        from_layout(&index)
    } else {
        return Err(invalid(
            "it has neither a manifest.json nor an index.json: is it an archive of images?".to_owned(),
        ));
    };
    if found.is_empty() {
        return Err(invalid("no image in it has a name: save it by its name, not by its id".to_owned()));
    }
    let mut images: Vec<Image> = Vec::new();
    for (name, target) in found {
        let image = records::add(shared, lease, &name, target).await?;
        match images.iter_mut().find(|known| known.id == image.id) {
            Some(known) => *known = image,
            None => images.push(image),
        }
    }
    Ok(images)
}

/// Makes a file content.
async fn keep(client: &Client, lease: &Lease, archive: &mut Archive) -> Result<File, ImageError> {
    let mut writer = Writer::open(client, lease, None).await?;
    let mut begins_with: Vec<u8> = Vec::new();
    while let Some(chunk) = archive.chunk().await? {
        if begins_with.len() < 2 {
            begins_with.extend(chunk.iter().take(2 - begins_with.len()));
        }
        writer.write(chunk).await?;
    }
    let (digest, size) = writer.commit(None, BTreeMap::new()).await?;
    Ok(File { digest, size, is_gzip: begins_with == [0x1f, 0x8b] })
}

async fn document<T: DeserializeOwned>(
    shared: &Shared,
    entries: &BTreeMap<String, Entry>,
    path: &str,
) -> Result<Option<T>, ImageError> {
    let Ok(file) = file(entries, path) else { return Ok(None) };
    if file.size > DOCUMENT_LIMIT {
        return Err(invalid(format!("its {path} has {} bytes", file.size)));
    }
    let bytes = content::read(&shared.client, &file.digest, DOCUMENT_LIMIT).await?.unwrap_or_default();
    manifest::read(path, &bytes).map(Some).map_err(invalid)
}

fn file<'a>(entries: &'a BTreeMap<String, Entry>, path: &str) -> Result<&'a File, ImageError> {
    let mut path = normal(path);
    for _ in 0..MOST_LINKS {
        match entries.get(&path) {
            Some(Entry::File(file)) => return Ok(file),
            Some(Entry::Link(target)) => path = target.clone(),
            None => break,
        }
    }
    let shown: String = path.chars().take(200).collect();
    Err(invalid(format!("it tells of {shown:?}, which is not in it")))
}

/// Gives each image a manifest, which `docker save` has none of.
async fn from_saved(
    shared: &Shared,
    lease: &Lease,
    entries: &BTreeMap<String, Entry>,
    saved: Vec<Saved>,
) -> Result<Vec<(ImageName, Digest)>, ImageError> {
    let mut found = Vec::new();
    for image in saved {
        let part = |path: &str, plain: &str, gzip: &str| {
            let file = file(entries, path)?;
            let media_type = if file.is_gzip { gzip } else { plain }.to_owned();
            let (digest, size) = (file.digest.clone(), file.size);
            Ok::<_, ImageError>(Part { media_type, digest, size, platform: None, annotations: BTreeMap::new() })
        };
        let config = part(&image.config, CONFIG, CONFIG)?;
        let layers = image.layers.iter().map(|layer| part(layer, LAYER, LAYER_GZIP)).collect::<Result<_, _>>()?;
        let manifest = Manifest { schema_version: 2, media_type: MANIFEST.to_owned(), config, layers };
        let bytes = serde_json::to_vec(&manifest).map_err(|error| invalid(error.to_string()))?;
        let target = content::write(&shared.client, lease, Bytes::from(bytes), BTreeMap::new()).await?;
        for tag in image.repo_tags.unwrap_or_default() {
            let name = tag.parse().map_err(|error| invalid(format!("an image in it has no usable name: {error}")))?;
            found.push((name, target.clone()));
        }
    }
    Ok(found)
}

fn from_layout(index: &Index) -> Vec<(ImageName, Digest)> {
    let name = |part: &Part| {
        let whole = part.annotations.get("io.containerd.image.name");
        // Without a slash or a colon it may be a tag alone.
        let short = part.annotations.get("org.opencontainers.image.ref.name").filter(|name| name.contains(['/', ':']));
        whole.or(short)?.parse().ok()
    };
    index.manifests.iter().filter_map(|part| Some((name(part)?, part.digest.clone()))).collect()
}

/// A path without what leads nowhere. It is only compared with others, never opened.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// What an image is not that cannot be used.
pub(super) fn unusable(failure: Failure) -> ImageError {
    match failure.meaning {
        Meaning::Refused => invalid(failure.message.trim_start_matches("not a usable image: ").to_owned()),
        _ => failure.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_without_detours() {
        for (path, expected) in [("./a//b", "a/b"), ("/a/../../b", "b"), ("a/./b/..", "a"), ("..", "")] {
            assert_eq!(normal(path), expected);
        }
    }
}
