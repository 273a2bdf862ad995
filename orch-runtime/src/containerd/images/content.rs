//! Content: bytes, named by their digest. [`read`], [`Writer`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures::{SinkExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use tonic::Streaming;

use super::super::client::Client;
use super::super::error::{Failure, Meaning, Unless as _};
use super::super::wire::{self, ContentInfoRequest, ReadContent, ReadContentAnswer, WriteContent, WriteContentAnswer};
use super::lease::Lease;
use super::manifest::Digest;

/// How many bytes are sent at once.
const PIECE: usize = 1 << 20;

/// Reads a document; `None` if it is not there.
pub(super) async fn read(client: &Client, digest: &Digest, limit: u64) -> Result<Option<Bytes>, Failure> {
    let Some(size) = size(client, digest).await? else { return Ok(None) };
    if size > limit {
        let message = format!("{digest} has {size} bytes, where a document of at most {limit} is expected");
        return Err(Failure::new(Meaning::Refused, message));
    }
    let request = ReadContent { digest: digest.to_string() };
    let answers = client.stream(wire::READ_CONTENT, futures::stream::iter([request]), None).await?;
    let mut answers: Streaming<ReadContentAnswer> = answers;
    let mut bytes = BytesMut::new();
    while let Some(piece) = answers.try_next().await.map_err(Failure::of)? {
        bytes.extend_from_slice(&piece.data);
    }
    Ok(Some(bytes.freeze()))
}

/// Keeps content that is there; tells whether it is.
pub(super) async fn hold(client: &Client, lease: &Lease, digest: &Digest) -> Result<bool, Failure> {
    // A lease can name what is not there, or no more.
    lease.hold("content", digest.as_str()).await?;
    Ok(size(client, digest).await?.is_some())
}

/// How many bytes there are of it; `None` if it is not there.
pub(super) async fn size(client: &Client, digest: &Digest) -> Result<Option<u64>, Failure> {
    let found = client.call(ContentInfoRequest { digest: digest.to_string() }).await.unless_missing()?;
    Ok(found.and_then(|found| found.info).map(|info| u64::try_from(info.size).unwrap_or_default()))
}

/// Sets labels that tell what content refers to: what is referred to is not collected.
pub(super) async fn label(client: &Client, digest: &Digest, labels: BTreeMap<String, String>) -> Result<(), Failure> {
    let paths = labels.keys().map(|label| format!("labels.{label}")).collect();
    let info = wire::ContentInfo { digest: digest.to_string(), labels, ..wire::ContentInfo::default() };
    let update_mask = Some(wire::FieldMask { paths });
    client.call(wire::UpdateContent { info: Some(info), update_mask }).await.map(drop)
}

/// Writes a document, and returns its digest.
pub(super) async fn write(
    client: &Client,
    lease: &Lease,
    bytes: Bytes,
    labels: BTreeMap<String, String>,
) -> Result<Digest, Failure> {
    let mut writer = Writer::open(client, lease, None).await?;
    writer.write(bytes).await?;
    writer.commit(None, labels).await.map(|(digest, _)| digest)
}

/// Content that is being written. Dropped, it is forgotten, or can be gone on with if it has a name of its own.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    client: &'a Client,
    lease: &'a Lease,
    reference: String,
    requests: futures::channel::mpsc::Sender<WriteContent>,
    answers: Streaming<WriteContentAnswer>,
    hash: Sha256,
    buffer: BytesMut,
    /// So many bytes have been sent.
    offset: u64,
}

impl<'a> Writer<'a> {
    /// Begins to write. `name` is what another attempt would go on by.
    pub(super) async fn open(client: &'a Client, lease: &'a Lease, name: Option<&str>) -> Result<Self, Failure> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let reference = name.map_or_else(|| format!("{}-{number}", lease.id()), str::to_owned);
        let (mut requests, receiver) = futures::channel::mpsc::channel(1);
        // containerd says nothing before it is asked something: here, how much there is.
        let status = WriteContent { reference: reference.clone(), ..WriteContent::default() };
        requests.send(status).await.map_err(|_| gone())?;
        let answers = client.stream(wire::WRITE_CONTENT, receiver, Some(lease.id())).await?;
        let (hash, buffer) = (Sha256::new(), BytesMut::new());
        let mut writer = Self { client, lease, reference, requests, answers, hash, buffer, offset: 0 };
        writer.offset = u64::try_from(writer.answer().await?.offset).unwrap_or_default();
        Ok(writer)
    }

    /// How much there was when it was opened, and is now.
    pub(super) fn length(&self) -> u64 {
        self.offset + self.buffer.len() as u64
    }

    /// Appends.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.hash.update(&bytes);
        self.buffer.extend_from_slice(&bytes);
        while self.buffer.len() >= PIECE {
            let piece = self.buffer.split_to(PIECE).freeze();
            self.send(piece).await?;
        }
        Ok(())
    }

    /// Makes it content, and returns its digest and length. If it is not what was `expected`, it is forgotten; then, and
    /// only then, the failure is [`Meaning::Refused`]. What was written before it was opened is part of what containerd
    /// checks.
    pub(super) async fn commit(
        mut self,
        expected: Option<&Digest>,
        labels: BTreeMap<String, String>,
    ) -> Result<(Digest, u64), Failure> {
        let last = self.buffer.split().freeze();
        if !last.is_empty() {
            self.send(last).await?;
        }
        let own = Digest::of(&std::mem::take(&mut self.hash).finalize());
        let digest = expected.cloned().unwrap_or(own);
        let request = WriteContent {
            action: wire::COMMIT,
            reference: self.reference.clone(),
            expected: digest.to_string(),
            total: self.offset as i64,
            offset: self.offset as i64,
            labels,
            ..WriteContent::default()
        };
        self.requests.send(request).await.map_err(|_| gone())?;
        match self.answer().await {
            Ok(_) => Ok((digest, self.offset)),
            // Nothing may keep what is there already.
            Err(failure) if failure.meaning == Meaning::Exists => match hold(self.client, self.lease, &digest).await? {
                true => Ok((digest, self.offset)),
                false => Err(gone()),
            },
            Err(failure) if failure.meaning == Meaning::WrongState => {
                let (client, reference) = (self.client, self.reference.clone());
                drop(self);
                client.call(wire::AbortContent { reference }).await.unless_missing()?;
                Err(Failure::new(Meaning::Refused, format!("it is not {digest}: it was damaged on its way")))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn send(&mut self, data: Bytes) -> Result<(), Failure> {
        let (length, offset) = (data.len() as u64, self.offset as i64);
        let reference = self.reference.clone();
        let request = WriteContent { action: wire::WRITE, reference, offset, data, ..WriteContent::default() };
        self.requests.send(request).await.map_err(|_| gone())?;
        self.answer().await?;
        self.offset += length;
        Ok(())
    }

    async fn answer(&mut self) -> Result<WriteContentAnswer, Failure> {
        self.answers.try_next().await.map_err(Failure::of)?.ok_or_else(gone)
    }
}

fn gone() -> Failure {
    Failure::new(
        Meaning::Transient,
        "content was not written to its end: containerd ended the connection, or collected it",
    )
}
