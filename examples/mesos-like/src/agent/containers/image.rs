//! The image of a container, brought to the machine.

use orch_core::runtime::{ImageName, Images};

use super::launch::LaunchError;

/// Sees to it that an image is on the machine. With `force` it is fetched even so.
pub(super) async fn bring(images: &dyn Images, name: &ImageName, force: bool) -> Result<(), LaunchError> {
    let failed = |error| LaunchError::failed(format!("Failed to fetch the image {name}: {error}"));
    if !force && images.find(name).await.map_err(failed)?.is_some() {
        return Ok(());
    }
    images.pull(name, None, &|_| {}).await.map_err(failed)?;
    Ok(())
}
