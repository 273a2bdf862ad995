//! The images that the daemon has.

use async_trait::async_trait;
use orch_core::runtime::{ArchiveStream, Credentials, Image, ImageError, ImageName, Images, PullProgress};

use super::client::Call;
use super::convert::image_reference;
use super::error::Failure;
use super::{DockerRuntime, Shared, wire};
use crate::sandbox_image;

/// The image of sandboxes is the runtime's own, and not listed. Archives are read by Docker itself: before Docker 25, only
/// those that `docker save` writes.
#[async_trait]
impl Images for DockerRuntime {
    async fn find(&self, name: &ImageName) -> Result<Option<Image>, ImageError> {
        Ok(self.shared.find_image(&image_reference(name)).await?)
    }

    async fn list(&self) -> Result<Vec<Image>, ImageError> {
        Ok(self.shared.list_images().await?)
    }

    async fn pull(
        &self,
        name: &ImageName,
        credentials: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<Image, ImageError> {
        self.shared.pull(name, credentials, progress).await
    }

    async fn import(&self, archive: ArchiveStream) -> Result<Vec<Image>, ImageError> {
        self.shared.import(archive).await
    }

    async fn remove(&self, id: &str) -> Result<(), ImageError> {
        self.shared.remove_image(id).await
    }
}

impl Shared {
    /// By a name or an id.
    pub(super) async fn find_image(&self, reference: &str) -> Result<Option<Image>, Failure> {
        let found: Option<wire::Image> = self.client.find(Call::get(format!("/images/{reference}/json"))).await?;
        Ok(found.map(image))
    }

    pub(super) async fn list_images(&self) -> Result<Vec<Image>, Failure> {
        let listed: Vec<wire::Image> = self.client.ask(Call::get("/images/json")).await?;
        let own = sandbox_image::NAME.parse::<ImageName>().ok();
        let is_own = |image: &Image| own.as_ref().is_some_and(|own| image.names.contains(own));
        let mut images: Vec<Image> = listed.into_iter().map(image).filter(|image| !is_own(image)).collect();
        images.sort_by(|a, b| a.id.cmp(&b.id));
        images.dedup_by(|a, b| a.id == b.id);
        Ok(images)
    }

    async fn remove_image(&self, id: &str) -> Result<(), ImageError> {
        if !is_id(id) {
            return Ok(());
        }
        let in_use = |message: String| ImageError::InUse { id: id.to_owned(), message };
        let containers: Vec<wire::Listed> =
            self.client.ask(Call::get("/containers/json").query("all", "1")).await.map_err(ImageError::from)?;
        if let Some(container) = containers.iter().find(|container| container.image_id == id) {
            return Err(in_use(format!("remove container {} first", container.id)));
        }
        // It may have several names, all of which are to go.
        match self.client.tell(Call::delete(format!("/images/{id}")).query("force", "1")).await {
            Err(failure) if failure.is_not_found() => Ok(()),
            Err(failure) if failure.is_conflict() => Err(in_use(failure.message)),
            result => result.map(drop).map_err(Into::into),
        }
    }
}

/// Whether text can be the id of an image. Other text would be taken for a name.
fn is_id(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.bytes().all(hex))
}

fn image(image: wire::Image) -> Image {
    let names = [image.repo_tags, image.repo_digests].into_iter().flatten().flatten();
    // What has no name is called `<none>:<none>`.
    let mut names: Vec<ImageName> = names.filter_map(|name| name.parse().ok()).collect();
    names.sort();
    names.dedup();
    Image { id: image.id, names, size_bytes: u64::try_from(image.size).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_and_what_is_no_name_is_left_out() {
        let text = r#"{"Id":"sha256:1","RepoTags":["web:1","<none>:<none>"],"RepoDigests":null,"Size":7}"#;
        let found = image(serde_json::from_str(text).expect("an image"));
        let names: Vec<String> = found.names.iter().map(ToString::to_string).collect();
        assert_eq!((found.size_bytes, names), (7, vec!["docker.io/library/web:1".to_owned()]));
    }

    #[test]
    fn an_id_is_told_from_a_name() {
        assert!(is_id(&format!("sha256:{}", "a1".repeat(32))));
        for text in ["web", "sha256:12", "../x", &"a1".repeat(32)] {
            assert!(!is_id(text), "{text}");
        }
    }
}
