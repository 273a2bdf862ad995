//! Images from a registry.

use std::sync::{Mutex, PoisonError};

use orch_core::runtime::{Credentials, Image, ImageError, ImageName, Images, PullProgress};

use super::ImagesFixture;
use super::steps::{find, is_listed};
use crate::suite::runtime::steps::PATIENCE;

/// An image that was pulled is found, with its progress told; to pull it again changes nothing.
pub async fn what_is_pulled_is_there(fixture: impl ImagesFixture) {
    let Some(names) = fixture.registry().await else { return };
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let told = Mutex::new(Vec::new());
    let tell = |progress| told.lock().unwrap_or_else(PoisonError::into_inner).push(progress);
    let image = images.pull(&names.there, None, &tell).await.expect("it can be pulled");
    assert_eq!(find(&*images, &names.there).await.map(|found| found.id), Some(image.id.clone()), "I1: it is found");
    assert!(is_listed(&*images, &image.id).await, "I1: it is listed");
    let told: Vec<PullProgress> = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    let last = told.last().expect("how far it has come is told");
    assert!(last.done_bytes > 0 && last.done_bytes <= last.total_bytes, "to the end, and no further: {told:?}");
    let before = images.list().await.expect("a list");
    let again = images.pull(&names.there, None, &|_| ()).await.expect("I2: it can be pulled again");
    assert_eq!((again, images.list().await.expect("a list")), (image, before), "I2: nothing is changed");
}

/// An image that the registry does not have is NotFound, a damaged one Invalid, and leave nothing.
pub async fn what_cannot_be_pulled_says_why(fixture: impl ImagesFixture) {
    let Some(names) = fixture.registry().await else { return };
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let before = images.list().await.expect("a list");
    let result = pull(&*images, &names.missing, None).await;
    assert!(matches!(result, Err(ImageError::NotFound { .. })), "NotFound, not {result:?}");
    if let Some(damaged) = &names.damaged {
        let result = pull(&*images, damaged, None).await;
        assert!(matches!(result, Err(ImageError::Invalid { .. })), "Invalid, not {result:?}");
        assert_eq!(find(&*images, damaged).await, None, "I1: it leaves no image");
    }
    assert_eq!(images.list().await.expect("a list"), before, "I1: nothing is left of it");
}

/// An image that is given to some only is Denied to others.
pub async fn a_secret_image_needs_credentials(fixture: impl ImagesFixture) {
    let Some((name, right)) = fixture.registry().await.and_then(|names| names.secret) else { return };
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let wrong = Credentials { password: format!("not {}", right.password), ..right.clone() };
    for credentials in [None, Some(&wrong)] {
        let result = pull(&*images, &name, credentials).await;
        let Err(error @ ImageError::Denied { .. }) = result else { panic!("Denied, not {result:?}") };
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(&wrong.password), "no password is shown: {shown}");
        assert_eq!(find(&*images, &name).await, None, "I1: it leaves no image");
    }
    let image = pull(&*images, &name, Some(&right)).await.expect("it is given to who may have it");
    assert_eq!(find(&*images, &name).await.map(|found| found.id), Some(image.id), "I1: it is found");
}

/// A registry that does not answer is an error of the registry, and transient.
pub async fn a_registry_that_is_down_is_told(fixture: impl ImagesFixture) {
    let Some(names) = fixture.registry().await else { return };
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let result = pull(&*images, &names.down, None).await;
    let told = matches!(&result, Err(ImageError::Registry { transient: true, registry, .. }) if registry == names.down.registry());
    assert!(told, "an error of the registry that names it, not {result:?}");
    assert_eq!(find(&*images, &names.down).await, None, "I1: it leaves no image");
}

async fn pull(images: &dyn Images, name: &ImageName, credentials: Option<&Credentials>) -> Result<Image, ImageError> {
    let result = tokio::time::timeout(PATIENCE, images.pull(name, credentials, &|_| ())).await;
    result.unwrap_or_else(|_| panic!("I5: a pull comes to an end, and not after {PATIENCE:?}"))
}
