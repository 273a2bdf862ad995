//! [`Images`]: the images of one node.

use std::error::Error;
use std::fmt::{self, Debug};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::ImageName;

/// The images of one node, for a runtime whose containers are started from images.
///
/// # What every implementation promises
///
/// - **I1** *All or nothing*: an image is there when it is complete and verified. A pull or import that fails, is
///   dropped, or dies with its process leaves no image of that name that was not there before, and can be repeated.
/// - **I2** *Idempotent*: to pull or import what is there, or to remove what is not, succeeds and changes nothing.
/// - **I3** *By content*: an image's id follows from its content. A name that is given to other content leaves the
///   image that had it, and containers that were started from it, as they were.
/// - **I4** *Kept while needed*: an image that a container of this runtime was started from, running or ended, is not
///   removed.
/// - **I5** *Bounded*: an archive or a registry that sends what is not an image, is damaged, or does not end is refused,
///   at a cost in memory that does not grow with what it sends.
#[async_trait]
pub trait Images: Debug + Send + Sync + 'static {
    /// The image that has this name on the node.
    ///
    /// # Errors
    /// [`ImageError::Unavailable`].
    async fn find(&self, name: &ImageName) -> Result<Option<Image>, ImageError>;

    /// Every image on the node, ordered by id.
    ///
    /// # Errors
    /// [`ImageError::Unavailable`].
    async fn list(&self) -> Result<Vec<Image>, ImageError>;

    /// Fetches an image from its registry, also if the node has one of this name: what the name means may have changed.
    /// `progress` is called now and then, from any thread.
    ///
    /// # Errors
    /// [`ImageError::NotFound`], [`ImageError::Denied`], [`ImageError::Invalid`], [`ImageError::Registry`] when the
    /// registry does not answer as it should; [`ImageError::Unavailable`].
    async fn pull(
        &self,
        name: &ImageName,
        credentials: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<Image, ImageError>;

    /// Takes images from an archive: a tar file as `docker save` writes it, or an OCI layout, compressed by gzip or not.
    /// Returns them in the archive's order.
    ///
    /// # Errors
    /// [`ImageError::Invalid`] for what is no such archive, or has no image with a name; [`ImageError::Unavailable`].
    async fn import(&self, archive: ArchiveStream) -> Result<Vec<Image>, ImageError>;

    /// Removes an image with all of its names, and frees its place on the disk.
    ///
    /// # Errors
    /// [`ImageError::InUse`]; [`ImageError::Unavailable`].
    async fn remove(&self, id: &str) -> Result<(), ImageError>;
}

/// The bytes of an archive, cut anywhere.
pub type ArchiveStream = BoxStream<'static, std::io::Result<Bytes>>;

/// An image on the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its content: `sha256:` and 64 hexadecimal digits.
    pub id: String,
    /// The names that it has on the node, in order.
    pub names: Vec<ImageName>,
    /// What it takes on the disk, as far as the runtime knows.
    pub size_bytes: u64,
}

/// How far a pull has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes that were fetched, or were there already.
    pub done_bytes: u64,
    /// Bytes of all that must be there, as far as is known.
    pub total_bytes: u64,
}

/// Who asks a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password, or a token in its place.
    pub password: String,
}

/// Shows the user alone.
impl Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The registry has no such image.
    #[error("image {image} not found: {message}: check its name and tag")]
    NotFound {
        /// Which image.
        image: ImageName,
        /// What the registry says.
        message: String,
    },
    /// The registry does not give it to this user.
    #[error("image {image}: access denied: {message}: check the credentials, and whether the image exists")]
    Denied {
        /// Which image.
        image: ImageName,
        /// What the registry says.
        message: String,
    },
    /// What came is damaged, or is no image that this node can run.
    #[error("not a usable image: {message}")]
    Invalid {
        /// What is wrong, and what to do.
        message: String,
    },
    /// The registry does not answer, or not as it should.
    #[error("registry {registry}: {message}")]
    Registry {
        /// Which registry.
        registry: String,
        /// What happened, and what to look at.
        message: String,
        /// Whether trying again may help without anything being changed.
        transient: bool,
        /// The error below.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// A container was started from it.
    #[error("image {id} is used by a container: {message}")]
    InUse {
        /// Which image.
        id: String,
        /// By what, and what to do.
        message: String,
    },
    /// The runtime does not answer, or not as it should.
    #[error("the runtime is unavailable: {message}")]
    Unavailable {
        /// What happened, and what to look at.
        message: String,
        /// Whether trying again may help without anything being changed.
        transient: bool,
        /// The backend's own error.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl ImageError {
    /// Whether the same request may succeed later without anything being changed by the caller.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Registry { transient, .. } | Self::Unavailable { transient, .. } => *transient,
            Self::NotFound { .. } | Self::Denied { .. } | Self::Invalid { .. } | Self::InUse { .. } => false,
        }
    }
}
