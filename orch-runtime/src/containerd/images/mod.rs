//! The images of the node, in containerd's content, image and snapshot services.

mod archive;
mod content;
mod import;
mod lease;
mod manifest;
mod records;
mod registry;
mod resolve;
mod tar;
mod unpack;

use async_trait::async_trait;
use orch_core::runtime::{ArchiveStream, Credentials, Image, ImageError, ImageName, Images, PullProgress};

pub(super) use self::resolve::{Cache, Resolved, accounts, by_name};
pub(super) use self::unpack::unpack;
use super::ContainerdRuntime;

#[async_trait]
impl Images for ContainerdRuntime {
    async fn find(&self, name: &ImageName) -> Result<Option<Image>, ImageError> {
        Ok(records::find(&self.shared, name).await?)
    }

    async fn list(&self) -> Result<Vec<Image>, ImageError> {
        Ok(records::list(&self.shared).await?)
    }

    async fn pull(
        &self,
        name: &ImageName,
        credentials: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<Image, ImageError> {
        registry::pull(&self.shared, name, credentials, progress).await
    }

    async fn import(&self, archive: ArchiveStream) -> Result<Vec<Image>, ImageError> {
        import::import(&self.shared, archive).await
    }

    async fn remove(&self, id: &str) -> Result<(), ImageError> {
        records::remove(&self.shared, id).await
    }
}
