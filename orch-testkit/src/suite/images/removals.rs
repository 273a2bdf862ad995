//! Images are removed when nobody needs them.

use std::time::Duration;

use orch_core::runtime::{ContainerSpec, ImageError, Runtime as _};

use super::ImagesFixture;
use super::steps::{find, imported, is_listed, name};
use crate::suite::runtime::Program;
use crate::suite::runtime::steps::{container, id, sandbox};

/// To remove an image that is not there succeeds.
pub async fn what_is_not_there_is_removed(fixture: impl ImagesFixture) {
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let before = images.list().await.expect("a list");
    images.remove(&format!("sha256:{}", "0123456789abcdef".repeat(4))).await.expect("I2: it is no error");
    assert_eq!(images.list().await.expect("a list"), before, "I2: and changes nothing");
    let image = imported(&*images, &fixture.archive(&name("1"), 1)).await;
    for _ in 0..2 {
        images.remove(&image.id).await.expect("I2: removing twice is no error");
        assert!(!is_listed(&*images, &image.id).await, "it is removed");
        assert_eq!(find(&*images, &name("1")).await, None, "with its name");
    }
    assert_eq!(images.list().await.expect("a list"), before, "nothing is left of it");
}

/// An image that a container was started from, running or ended, is not removed: InUse.
pub async fn an_image_in_use_is_not_removed(fixture: impl ImagesFixture) {
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let (name, web) = (name("1"), id("a", "web", 0));
    let image = imported(&*images, &fixture.archive(&name, 1)).await;
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    let spec = ContainerSpec { image: Some(name.clone()), ..fixture.container(Program::Runs) };
    runtime.start(&web, &spec).await.expect("started");
    let refused = async |what| {
        let result = images.remove(&image.id).await;
        assert!(matches!(result, Err(ImageError::InUse { .. })), "I4: {what}: InUse, not {result:?}");
        let found = find(&*images, &name).await;
        assert_eq!(found.map(|found| found.id), Some(image.id.clone()), "I4: {what}: it is there, with its name");
    };
    let before = container(&runtime, &web).await;
    refused("a container of it runs").await;
    assert_eq!(container(&runtime, &web).await, before, "I4: the container goes on");
    runtime.stop(&web, Duration::ZERO).await.expect("stopped");
    refused("a container of it has ended").await;
    runtime.remove_container(&web).await.expect("removed");
    images.remove(&image.id).await.expect("nobody uses it any more");
    assert_eq!(find(&*images, &name).await, None, "it is removed");
    runtime.remove(&web.pod).await.expect("removed");
}
