//! [`pull`]: fetches an image, part by part.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use orch_core::runtime::{Credentials, Image, ImageError, ImageName, PullProgress};
use sha2::{Digest as _, Sha256};

use super::super::super::Shared;
use super::super::super::error::{Failure, Meaning};
use super::super::super::names;
use super::super::archive::invalid;
use super::super::content::{self, Writer};
use super::super::lease::Lease;
use super::super::manifest::{self, Digest, Index, Manifest, Part};
use super::super::records;
use super::session::Session;

/// How often the same part is asked for when another pull has it in hand, and how long to wait between.
const TRIES: usize = 60;
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Fetches an image. What has come of it stays for a day if the rest does not come, so that the next pull goes on there.
pub(in super::super) async fn pull(
    shared: &Shared,
    name: &ImageName,
    credentials: Option<&Credentials>,
    progress: &(dyn Fn(PullProgress) + Send + Sync),
) -> Result<Image, ImageError> {
    let lease = Lease::take_again(&shared.client, &format!("orch-pull-{}", names::hash(&name.to_string()))).await?;
    match fetch(shared, name, credentials, &lease, progress).await {
        Ok(image) => {
            lease.give_back().await?;
            Ok(image)
        }
        // What is damaged or not there is of no use later.
        Err(error) if !error.is_transient() => {
            lease.give_back().await?;
            Err(error)
        }
        Err(error) => {
            lease.keep();
            Err(error)
        }
    }
}

async fn fetch(
    shared: &Shared,
    name: &ImageName,
    credentials: Option<&Credentials>,
    lease: &Lease,
    progress: &(dyn Fn(PullProgress) + Send + Sync),
) -> Result<Image, ImageError> {
    let mut session = Session::new(name, credentials);
    let (target, manifest) = manifest_of(shared, &mut session, name, lease).await?;
    let total_bytes = manifest.size();
    if total_bytes > shared.config.image_bytes {
        let most = shared.config.image_bytes;
        return Err(invalid(format!("it has {total_bytes} bytes, and images on this node may have {most}")));
    }
    let mut done = PullProgress { done_bytes: 0, total_bytes };
    for part in manifest.layers.iter().chain([&manifest.config]) {
        let before = done.done_bytes;
        let told = |bytes: u64| progress(PullProgress { done_bytes: before + bytes.min(part.size), total_bytes });
        part_of(shared, &mut session, lease, part, &told).await?;
        done.done_bytes = before + part.size;
        progress(done);
    }
    records::add(shared, lease, name, target).await
}

/// The manifest for this machine, as content.
async fn manifest_of(
    shared: &Shared,
    session: &mut Session<'_>,
    name: &ImageName,
    lease: &Lease,
) -> Result<(Digest, Manifest), ImageError> {
    let mut expected = name.digest().map(|digest| Digest::try_from(digest.to_owned())).transpose().map_err(invalid)?;
    let mut reference = name.digest().or(name.tag()).unwrap_or("latest").to_owned();
    // An index may be in an index, but not without end.
    for _ in 0..4 {
        let bytes = session.manifest(&reference).await?;
        let digest = Digest::of(&Sha256::digest(&bytes));
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            return Err(invalid(format!("the registry sends a manifest that is {digest}, not {expected}")));
        }
        if let Ok(index) = manifest::read::<Index>("index", &bytes) {
            let part = index.for_this_machine().map_err(invalid)?;
            reference = part.digest.to_string();
            expected = Some(part.digest.clone());
            continue;
        }
        let manifest = Manifest::read(&bytes).map_err(invalid)?;
        content::write(&shared.client, lease, bytes, BTreeMap::new()).await?;
        return Ok((digest, manifest));
    }
    Err(invalid("its index leads from one index to the next".to_owned()))
}

/// Makes a part content, unless it is; goes on where an earlier pull was interrupted.
async fn part_of(
    shared: &Shared,
    session: &mut Session<'_>,
    lease: &Lease,
    part: &Part,
    told: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), ImageError> {
    let name = format!("orch-pull-{}", part.digest);
    let mut tries = 0;
    let mut writer = loop {
        if content::hold(&shared.client, lease, &part.digest).await? {
            return Ok(());
        }
        match Writer::open(&shared.client, lease, Some(&name)).await {
            Ok(writer) => break writer,
            Err(failure) if tries < TRIES && is_in_hand(&failure) => tries += 1,
            Err(failure) => return Err(failure.into()),
        }
        tokio::time::sleep(TRY_AGAIN).await;
    };
    if writer.length() < part.size {
        let (mut body, continues) = session.blob(part.digest.as_str(), writer.length()).await?;
        // A registry that begins anew sends what there is already.
        let mut skip = if continues { 0 } else { writer.length() };
        while let Some(mut piece) = session.piece(&mut body).await? {
            let skipped = skip.min(piece.len() as u64);
            skip -= skipped;
            let rest: Bytes = piece.split_off(skipped as usize);
            if writer.length() + rest.len() as u64 > part.size {
                return Err(invalid(format!("the registry sends more of {} than its manifest says", part.digest)));
            }
            writer.write(rest).await?;
            told(writer.length());
        }
    }
    match writer.commit(Some(&part.digest), BTreeMap::new()).await {
        Err(failure) if failure.meaning == Meaning::Refused => Err(invalid(failure.message)),
        result => Ok(result.map(drop)?),
    }
}

/// Whether another pull is writing the same part.
fn is_in_hand(failure: &Failure) -> bool {
    failure.message.contains("locked")
}
