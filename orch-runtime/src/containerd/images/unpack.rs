//! [`unpack`]: makes file systems of an image's layers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::client::Client;
use super::super::config::ContainerdConfig;
use super::super::error::{Failure, Meaning, Unless as _};
use super::super::wire::{ApplyDiff, CommitSnapshot, Descriptor, PrepareSnapshot, RemoveSnapshot, StatSnapshot};
use super::content;
use super::lease::Lease;
use super::manifest::{Digest, Part};
use super::resolve::Resolved;

/// Makes the file systems of an image's layers exist. The configuration refers to the uppermost one, so that all stay as
/// long as the image.
pub(in super::super) async fn unpack(
    client: &Arc<Client>,
    config: &ContainerdConfig,
    image: &Resolved,
) -> Result<(), Failure> {
    if image.root.is_empty() || is_there(client, config, &image.root).await? {
        return Ok(());
    }
    let lease = Lease::take(client).await?;
    let unpacked = unpack_leased(client, config, image, &lease).await;
    lease.give_back().await?;
    unpacked
}

/// The same, under a lease that is there.
pub(super) async fn unpack_leased(
    client: &Client,
    config: &ContainerdConfig,
    image: &Resolved,
    lease: &Lease,
) -> Result<(), Failure> {
    let mut below = String::new();
    let layers = image.manifest.layers.iter().zip(image.config.diffs());
    for ((layer, diff), name) in layers.zip(image.config.chain()) {
        // What was there before may be about to be collected.
        lease.hold(&format!("snapshots/{}", config.snapshotter.as_str()), &name).await?;
        if !is_there(client, config, &name).await? {
            apply(client, config, lease, (layer, diff), &below, &name).await?;
        }
        below = name;
    }
    let label = format!("containerd.io/gc.ref.snapshot.{}", config.snapshotter.as_str());
    let labels = BTreeMap::from([(label, image.root.clone())]);
    content::label(client, &image.manifest.config.digest, labels).await
}

async fn apply(
    client: &Client,
    config: &ContainerdConfig,
    lease: &Lease,
    (layer, diff): (&Part, &Digest),
    below: &str,
    name: &str,
) -> Result<(), Failure> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let snapshotter = config.snapshotter.as_str().to_owned();
    let key = format!("{} {} {name}", lease.id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let labels = BTreeMap::from([("containerd.io/snapshot.ref".to_owned(), name.to_owned())]);
    let (parent, prepared_key) = (below.to_owned(), key.clone());
    let prepare = PrepareSnapshot { snapshotter: snapshotter.clone(), key: prepared_key, parent, labels };
    let prepared = client.call_leased(prepare, lease.id()).await?;
    let media_type = layer.media_type.clone();
    let size = i64::try_from(layer.size).unwrap_or(i64::MAX);
    let diff_of = Descriptor { media_type, digest: layer.digest.to_string(), size };
    let apply = ApplyDiff { diff: Some(diff_of), mounts: prepared.mounts };
    let applied = client.call_within(config.start_timeout, apply, Some(lease.id())).await;
    let applied = applied.map_err(|failure| match failure.meaning {
        Meaning::Transient if failure.message.contains("tar") => Failure::new(Meaning::Refused, failure.message),
        _ => failure,
    });
    let checked = applied.and_then(|applied| {
        let applied = applied.applied.unwrap_or_default().digest;
        if applied == diff.as_str() {
            return Ok(());
        }
        let message = format!("layer {} is {applied} when decompressed, not {diff}: it is damaged", layer.digest);
        Err(Failure::new(Meaning::Refused, message))
    });
    if let Err(failure) = checked {
        client.call(RemoveSnapshot { snapshotter, key }).await.unless_missing()?;
        return Err(failure);
    }
    let commit = CommitSnapshot { snapshotter: snapshotter.clone(), name: name.to_owned(), key: key.clone() };
    // Another one may have made the same layer meanwhile.
    if client.call_leased(commit, lease.id()).await.unless_exists()?.is_none() {
        client.call(RemoveSnapshot { snapshotter, key }).await.unless_missing()?;
    }
    Ok(())
}

async fn is_there(client: &Client, config: &ContainerdConfig, name: &str) -> Result<bool, Failure> {
    let request = StatSnapshot { snapshotter: config.snapshotter.as_str().to_owned(), key: name.to_owned() };
    Ok(client.call(request).await.unless_missing()?.is_some())
}
