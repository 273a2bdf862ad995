//! Images as containerd keeps them: names of content. Each has, besides its names, a record that is called by its id, so
//! that it stays when its name moves.

use std::collections::BTreeMap;

use orch_core::runtime::{Image, ImageError, ImageName};

use super::super::Shared;
use super::super::error::{Failure, Unless as _};
use super::super::record::IMAGE_ID;
use super::super::wire::{
    self, CreateImage, DeleteImage, Descriptor, FieldMask, ListContainers, ListImages, UpdateImage,
};
use super::content;
use super::import::unusable;
use super::lease::Lease;
use super::manifest::{Digest, MANIFEST};
use super::resolve::{Resolved, by_target};
use super::unpack::unpack_leased;

/// What records are called by their ids with.
const ID: &str = "sha256:";

/// The image of a name, with all of its names.
pub(super) async fn find(shared: &Shared, name: &ImageName) -> Result<Option<Image>, Failure> {
    let Some(found) = super::by_name(&shared.client, &shared.cache, name).await? else { return Ok(None) };
    Ok(list(shared).await?.into_iter().find(|image| image.id == found.id))
}

/// Every image, ordered by id.
pub(super) async fn list(shared: &Shared) -> Result<Vec<Image>, Failure> {
    let mut images: BTreeMap<String, Image> = BTreeMap::new();
    for (record, image) in resolved(shared).await? {
        let size_bytes = image.size();
        let entry = images.entry(image.id.clone());
        let entry = entry.or_insert_with(|| Image { id: image.id.clone(), names: Vec::new(), size_bytes });
        entry.names.extend(name(&record));
    }
    let mut images: Vec<Image> = images.into_values().collect();
    for image in &mut images {
        image.names.sort_unstable();
    }
    Ok(images)
}

/// Gives content a name, once it is checked, whole, and its layers are file systems.
pub(super) async fn add(shared: &Shared, lease: &Lease, name: &ImageName, target: Digest) -> Result<Image, ImageError> {
    let client = &shared.client;
    let size = content::size(client, &target).await?.unwrap_or_default();
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let descriptor = Descriptor { media_type: MANIFEST.to_owned(), digest: target.to_string(), size };
    let resolved = by_target(client, &shared.cache, &descriptor).await.map_err(unusable)?;
    let incomplete = || ImageError::Invalid { message: format!("a part of {name} is missing") };
    let resolved = resolved.ok_or_else(incomplete)?;
    let layers = resolved.manifest.layers.iter().map(|layer| &layer.digest);
    for part in layers.chain([&resolved.target, &resolved.manifest.config.digest]) {
        if !content::hold(client, lease, part).await? {
            return Err(incomplete());
        }
    }
    label(shared, &resolved).await?;
    unpack_leased(client, &shared.config, &resolved, lease).await.map_err(unusable)?;
    let target = Descriptor { digest: resolved.target.to_string(), ..descriptor };
    for record in [resolved.id.clone(), name.to_string()] {
        let image = wire::Image { name: record, target: Some(target.clone()), ..wire::Image::default() };
        if client.call_leased(CreateImage { image: Some(image.clone()) }, lease.id()).await.unless_exists()?.is_none() {
            let update_mask = Some(FieldMask { paths: vec!["target".to_owned()] });
            client.call_leased(UpdateImage { image: Some(image), update_mask }, lease.id()).await?;
        }
    }
    find(shared, name).await?.ok_or_else(incomplete)
}

/// Says in the content what it refers to, so that containerd keeps it.
async fn label(shared: &Shared, image: &Resolved) -> Result<(), Failure> {
    let reference =
        |name: String, digest: &Digest| (format!("containerd.io/gc.ref.content.{name}"), digest.to_string());
    let layers = image.manifest.layers.iter().enumerate();
    let layers = layers.map(|(number, layer)| reference(format!("l.{number}"), &layer.digest));
    let labels = layers.chain([reference("config".to_owned(), &image.manifest.config.digest)]).collect();
    content::label(&shared.client, &image.target, labels).await
}

/// Removes an image with all of its names.
pub(super) async fn remove(shared: &Shared, id: &str) -> Result<(), ImageError> {
    let id = Digest::try_from(id.to_owned()).map_err(|message| ImageError::Invalid { message })?;
    let filters = vec![format!("labels.\"{IMAGE_ID}\"==\"{id}\"")];
    let users = shared.client.call(ListContainers { filters }).await?;
    if let Some(user) = users.containers.first() {
        let message = format!("container {}: remove that first", user.id);
        return Err(ImageError::InUse { id: id.to_string(), message });
    }
    for (record, image) in resolved(shared).await? {
        if image.id == id.as_str() {
            shared.client.call(DeleteImage { name: record, sync: true }).await.unless_missing()?;
        }
    }
    Ok(())
}

/// Every record of which the image is whole.
async fn resolved(shared: &Shared) -> Result<Vec<(String, std::sync::Arc<Resolved>)>, Failure> {
    let mut found = Vec::new();
    for record in shared.client.call(ListImages::default()).await?.images {
        let Some(target) = record.target else { continue };
        match by_target(&shared.client, &shared.cache, &target).await {
            Ok(Some(image)) => found.push((record.name, image)),
            Ok(None) => {}
            Err(failure) if failure.meaning == super::super::error::Meaning::Refused => {
                tracing::debug!(image = %record.name, error = %failure.message, "an image that is none for this node");
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

/// The name that a record gives; `None` if it is called by an id, or as we would not find it.
fn name(record: &str) -> Option<ImageName> {
    let name: ImageName = record.parse().ok()?;
    (!record.starts_with(ID) && name.to_string() == record).then_some(name)
}
