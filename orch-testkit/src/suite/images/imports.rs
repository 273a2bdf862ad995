//! Images from archives.

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use orch_core::runtime::{ContainerSpec, ImageError, ImageName, Runtime as _, RuntimeError};

use super::ImagesFixture;
use super::steps::{find, import, imported, is_listed, name, stream as archive_stream};
use crate::suite::runtime::Program;
use crate::suite::runtime::steps::{container, id, pod_status, sandbox};

/// An image that was imported is found by its name, is listed, and containers start from it.
pub async fn what_is_imported_is_there(fixture: impl ImagesFixture) {
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let (name, web) = (name("1"), id("a", "web", 0));
    assert_eq!(find(&*images, &name).await, None, "nobody imported it yet");
    let image = imported(&*images, &fixture.archive(&name, 1)).await;
    let hex = image.id.strip_prefix("sha256:").unwrap_or_default();
    assert!(hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()), "an id is a digest: {image:?}");
    assert!(image.names.contains(&name), "it has the name that the archive gives it: {image:?}");
    assert_eq!(find(&*images, &name).await.map(|found| found.id), Some(image.id.clone()), "I1: it is found");
    assert!(is_listed(&*images, &image.id).await, "I1: it is listed");
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    let spec = ContainerSpec { image: Some(name), ..fixture.container(Program::Runs) };
    runtime.start(&web, &spec).await.expect("a container starts from it");
    let status = container(&runtime, &web).await;
    assert!(status.state.is_running(), "a container starts from it: {status:?}");
    assert_eq!(status.image_id, Some(image.id), "I3: it is told from which content");
    runtime.remove(&web.pod).await.expect("removed");
}

/// An archive that is cut off is Invalid, leaves no image, and can be imported again.
pub async fn an_archive_that_is_cut_leaves_nothing(fixture: impl ImagesFixture) {
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let name = name("1");
    let archive = fixture.archive(&name, 1);
    let before = images.list().await.expect("a list");
    for length in [archive.len() / 10, archive.len() / 2, archive.len() - archive.len() / 3] {
        let result = import(&*images, archive_stream(&archive[..length])).await;
        assert!(matches!(result, Err(ImageError::Invalid { .. })), "I1: {length} bytes are Invalid, not {result:?}");
        assert_eq!(find(&*images, &name).await, None, "I1: it leaves no image");
    }
    assert_eq!(images.list().await.expect("a list"), before, "I1: nothing is left of it");
    imported(&*images, &archive).await;
}

/// An import that is dropped or whose source fails leaves no image, and can be repeated.
pub async fn an_import_that_is_dropped_leaves_nothing(fixture: impl ImagesFixture) {
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let name = name("1");
    let archive = fixture.archive(&name, 1);
    let half = || archive_stream(&archive[..archive.len() / 2]);
    let (reached, waits) = tokio::sync::oneshot::channel::<()>();
    let stalls = half().chain(stream::once(async move {
        // Whoever waits is gone when the clause has failed.
        let _ = reached.send(());
        std::future::pending().await
    }));
    tokio::select! {
        biased;
        result = import(&*images, stalls.boxed()) => panic!("I1: half an archive is not enough: {result:?}"),
        _ = waits => {}
    }
    assert_eq!(find(&*images, &name).await, None, "I1: an import that was dropped leaves no image");
    let fails = half().chain(stream::iter([Err(std::io::Error::other("the source fails"))]));
    import(&*images, fails.boxed()).await.expect_err("I1: a source that fails is an error");
    assert_eq!(find(&*images, &name).await, None, "I1: an import that failed leaves no image");
    imported(&*images, &archive).await;
}

/// To import what is there succeeds and changes nothing.
pub async fn importing_again_changes_nothing(fixture: impl ImagesFixture) {
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let archive = fixture.archive(&name("1"), 1);
    let first = imported(&*images, &archive).await;
    let before = images.list().await.expect("a list");
    assert_eq!(imported(&*images, &archive).await, first, "I2: the image that is there is told");
    assert_eq!(images.list().await.expect("a list"), before, "I2: nothing is changed");
}

/// A name that is given to other content leaves the image that had it, and what was started from it, as they were.
pub async fn a_name_can_move_to_other_content(fixture: impl ImagesFixture) {
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let (name, web) = (name("1"), id("a", "web", 0));
    let first = imported(&*images, &fixture.archive(&name, 1)).await;
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    let spec = ContainerSpec { image: Some(name.clone()), ..fixture.container(Program::Runs) };
    runtime.start(&web, &spec).await.expect("started");
    let before = container(&runtime, &web).await;
    let second = imported(&*images, &fixture.archive(&name, 2)).await;
    assert_ne!(second.id, first.id, "I3: other content has another id");
    assert_eq!(find(&*images, &name).await.map(|found| found.id), Some(second.id.clone()), "I3: the name has moved");
    assert!(is_listed(&*images, &first.id).await, "I3: the image that had the name is still there");
    assert_eq!(container(&runtime, &web).await, before, "I3: what was started from it is as it was");
    runtime.remove(&web.pod).await.expect("removed");
    for id in [&first.id, &second.id] {
        images.remove(id).await.unwrap_or_else(|error| panic!("nobody uses {id}: {error}"));
        assert!(!is_listed(&*images, id).await, "it is removed");
    }
    assert_eq!(find(&*images, &name).await, None, "with all of its names");
}

/// What is no archive, or does not end, is Invalid.
pub async fn what_is_no_archive_is_refused(fixture: impl ImagesFixture) {
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let before = images.list().await.expect("a list");
    let nothing_in_it = vec![0; 10_240];
    for bytes in [&b""[..], b"this is text", &[0xff; 100_000], &nothing_in_it] {
        let result = import(&*images, archive_stream(bytes)).await;
        let shown = &bytes[..bytes.len().min(10)];
        assert!(matches!(result, Err(ImageError::Invalid { .. })), "I5: {shown:?}…: Invalid, not {result:?}");
    }
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 65536])));
    let result = import(&*images, endless.boxed()).await;
    assert!(matches!(result, Err(ImageError::Invalid { .. })), "I5: without end: Invalid, not {result:?}");
    assert_eq!(images.list().await.expect("a list"), before, "I1: nothing is left of it");
}

/// A container whose image is not on the node is not started: NoSuchImage, and nothing is changed.
pub async fn a_container_needs_its_image(fixture: impl ImagesFixture) {
    let runtime = fixture.open().await;
    let images = fixture.images(&runtime);
    let missing: ImageName = name("never-imported");
    let web = id("a", "web", 0);
    let before = runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    let spec = ContainerSpec { image: Some(missing.clone()), ..fixture.container(Program::Runs) };
    for _ in 0..2 {
        let result = runtime.start(&web, &spec).await;
        let told = matches!(&result, Err(RuntimeError::NoSuchImage { image }) if *image == missing);
        assert!(told, "NoSuchImage with its name, not {result:?}");
        assert_eq!(pod_status(&runtime, &web.pod).await, before, "a refused request changes nothing");
    }
    imported(&*images, &fixture.archive(&missing, 1)).await;
    runtime.start(&web, &spec).await.expect("it starts as soon as its image is there");
    runtime.remove(&web.pod).await.expect("removed");
}
