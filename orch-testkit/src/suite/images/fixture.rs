//! [`ImagesFixture`]: what the suite needs to know of an implementation.

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::runtime::{Credentials, ImageName, Images};

use crate::suite::runtime::RuntimeFixture;

/// A place where a runtime works whose containers are started from images.
#[async_trait]
pub trait ImagesFixture: RuntimeFixture {
    /// The images of a runtime of this place. There may be some, for [`container`](RuntimeFixture::container).
    fn images(&self, runtime: &Self::Runtime) -> Arc<dyn Images>;

    /// An archive with one image, which containers of [`container`](RuntimeFixture::container) can be started from in
    /// place of their own. For the same name and number it is the same to the last byte; with another number the image
    /// has another content, and with another name only another name.
    fn archive(&self, name: &ImageName, number: u32) -> Vec<u8>;

    /// What can be pulled. `None` where no registry is at hand; then nothing is said about pulling.
    async fn registry(&self) -> Option<RegistryNames>;
}

/// Names of images by what becomes of pulling them.
#[derive(Clone, Debug)]
pub struct RegistryNames {
    /// There is such an image.
    pub there: ImageName,
    /// The registry answers that there is none.
    pub missing: ImageName,
    /// Its content is not what its digest says, if the registry can be made to give such a one.
    pub damaged: Option<ImageName>,
    /// It is given to those with these credentials alone, if the registry can tell users apart.
    pub secret: Option<(ImageName, Credentials)>,
    /// Nobody answers at its registry.
    pub down: ImageName,
}
