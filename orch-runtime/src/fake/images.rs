//! [`FakeImage`] and [`FakePull`]: images that exist in memory only.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use async_trait::async_trait;
use futures::StreamExt as _;
use orch_core::runtime::{ArchiveStream, Credentials, Image, ImageError, ImageName, Images, PullProgress};
use serde::{Deserialize, Serialize};

use super::{FakeRuntime, Operation};

/// An image of the fake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FakeImage {
    /// The name that an archive gives it.
    pub name: ImageName,
    /// What is in it: images of other content are other images.
    pub content: String,
}

/// What begins an archive, and what ends it.
const ENDS: [&[u8]; 2] = [b"an archive of the fake runtime\n", b"\nits end\n"];

/// More than any test needs.
const LARGEST_ARCHIVE: usize = 1 << 20;

impl FakeImage {
    /// An archive as the fake imports them.
    #[must_use]
    pub fn archive(&self) -> Vec<u8> {
        let image = serde_json::to_vec(self).expect("text can be written as JSON");
        [ENDS[0], &image, ENDS[1]].concat()
    }

    /// The id that an image with this content has.
    #[must_use]
    pub fn id(&self) -> String {
        let part = |number: u8| {
            let mut hasher = DefaultHasher::new();
            (number, &self.content).hash(&mut hasher);
            format!("{:016x}", hasher.finish())
        };
        format!("sha256:{}", (0..4).map(part).collect::<String>())
    }

    fn parse(archive: &[u8]) -> Option<Self> {
        serde_json::from_slice(archive.strip_prefix(ENDS[0])?.strip_suffix(ENDS[1])?).ok()
    }
}

/// What becomes of pulling an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FakePull {
    /// It comes, with this content.
    Gives(String),
    /// It comes, with this content, for who has these credentials.
    GivesTo(Credentials, String),
    /// What comes is damaged.
    Damaged,
    /// The registry does not answer.
    Down,
}

/// The images of the node, and what the registries have.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// Whether containers need their images on the node.
    pub(super) required: bool,
    pub(super) registry: BTreeMap<ImageName, FakePull>,
    /// The contents and names, by id.
    images: BTreeMap<String, (usize, BTreeSet<ImageName>)>,
}

impl Store {
    pub(super) fn find(&self, name: &ImageName) -> Option<Image> {
        self.list().into_iter().find(|image| image.names.contains(name))
    }

    fn list(&self) -> Vec<Image> {
        let image = |(id, (size, names)): (&String, &(usize, BTreeSet<ImageName>))| Image {
            id: id.clone(),
            names: names.iter().cloned().collect(),
            size_bytes: *size as u64,
        };
        self.images.iter().map(image).collect()
    }

    /// Puts an image there, and moves its name to it.
    fn put(&mut self, image: &FakeImage) -> Image {
        for (_, names) in self.images.values_mut() {
            names.remove(&image.name);
        }
        let (_, names) = self.images.entry(image.id()).or_insert_with(|| (image.content.len(), BTreeSet::new()));
        names.insert(image.name.clone());
        self.find(&image.name).expect("it was just put there")
    }

    fn pull(&mut self, name: &ImageName, credentials: Option<&Credentials>) -> Result<Image, ImageError> {
        let content = match self.registry.get(name) {
            Some(FakePull::Gives(content)) => content,
            Some(FakePull::GivesTo(allowed, content)) if credentials == Some(allowed) => content,
            Some(FakePull::GivesTo(..)) => {
                let message = "its script names other credentials".to_owned();
                return Err(ImageError::Denied { image: name.clone(), message });
            }
            Some(FakePull::Damaged) => return Err(invalid("its script says that what comes is damaged")),
            Some(FakePull::Down) => {
                let (registry, message) =
                    (name.registry().to_owned(), "it does not answer, says its script".to_owned());
                return Err(ImageError::Registry { registry, message, transient: true, source: None });
            }
            None => {
                let message = "no script says that there is one".to_owned();
                return Err(ImageError::NotFound { image: name.clone(), message });
            }
        };
        let image = FakeImage { name: name.clone(), content: content.clone() };
        Ok(self.put(&image))
    }
}

fn invalid(message: &str) -> ImageError {
    ImageError::Invalid { message: message.to_owned() }
}

#[async_trait]
impl Images for FakeRuntime {
    async fn find(&self, name: &ImageName) -> Result<Option<Image>, ImageError> {
        self.perform(Operation::FindImage, async { Ok(self.state().images.find(name)) }).await
    }

    async fn list(&self) -> Result<Vec<Image>, ImageError> {
        self.perform(Operation::ListImages, async { Ok(self.state().images.list()) }).await
    }

    async fn pull(
        &self,
        name: &ImageName,
        credentials: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<Image, ImageError> {
        let pull = async {
            let image = self.state().images.pull(name, credentials)?;
            progress(PullProgress { done_bytes: image.size_bytes, total_bytes: image.size_bytes });
            Ok(image)
        };
        self.perform(Operation::Pull, pull).await
    }

    async fn import(&self, mut archive: ArchiveStream) -> Result<Vec<Image>, ImageError> {
        let import = async {
            let mut bytes = Vec::new();
            while let Some(piece) = archive.next().await {
                bytes.extend_from_slice(&piece.map_err(|error| invalid(&format!("the archive ends: {error}")))?);
                if bytes.len() > LARGEST_ARCHIVE {
                    break;
                }
            }
            let wrong = || invalid("it is no archive of the fake runtime: make one with FakeImage::archive");
            let image = FakeImage::parse(&bytes).ok_or_else(wrong)?;
            Ok(vec![self.state().images.put(&image)])
        };
        self.perform(Operation::Import, import).await
    }

    async fn remove(&self, id: &str) -> Result<(), ImageError> {
        let remove = async {
            let mut state = self.state();
            if let Some(user) = state.user_of_image(id) {
                let message = format!("container {user} was started from it: remove the container first");
                return Err(ImageError::InUse { id: id.to_owned(), message });
            }
            state.images.images.remove(id);
            Ok(())
        };
        self.perform(Operation::RemoveImage, remove).await
    }
}
