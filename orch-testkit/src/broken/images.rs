//! Wrong images.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use orch_core::runtime::{
    ArchiveStream, ContainerId, ContainerSpec, Credentials, Image, ImageError, ImageName, Images, PodUid, PullProgress,
};

use super::omission::Omission;
use super::runtime::{self, FlawedRuntime};
use crate::suite::images::{ImagesFixture, RegistryNames};
use crate::suite::runtime::{Ability, Beside, Program, RuntimeFixture};

/// What is wrong with [`FlawedImages`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Gives an image its name before all of it is there.
    NamesHalfImages,
    /// Makes an error of what is there already.
    ImportsOnce,
    /// Makes an error of what is not there any more.
    RemovesOnce,
    /// Forgets images that have no name.
    ForgetsNamelessImages,
    /// Removes images from below the containers that were started from them.
    RemovesImagesInUse,
    /// Takes what is no archive for one without images.
    TakesAnything,
    /// Starts a container whose image is not there from something else.
    StartsWithoutImages,
    /// Makes one error of all that a registry says.
    TellsNothingApart,
    /// Tells somebody who may not have an image that there is none.
    TakesDeniedForMissing,
    /// Never tells how far a pull has come.
    TellsNoProgress,
}

impl Flaw {
    /// Every flaw, with the promise that it breaks.
    pub const ALL: [(Self, &str); 11] = [
        (Self::NamesHalfImages, "I1"),
        (Self::ImportsOnce, "I2"),
        (Self::RemovesOnce, "I2"),
        (Self::ForgetsNamelessImages, "I3"),
        (Self::RemovesImagesInUse, "I4"),
        (Self::TakesAnything, "I5"),
        (Self::StartsWithoutImages, "Start"),
        (Self::TellsNothingApart, "I1"),
        (Self::TellsNothingApart, "Pull"),
        (Self::TakesDeniedForMissing, "Pull"),
        (Self::TellsNoProgress, "I1"),
    ];
}

/// Images with a flaw, or with none, over those that keep the contract.
#[derive(Debug)]
pub struct FlawedImages {
    flaw: Option<Flaw>,
    inner: Arc<dyn Images>,
    /// An import was begun, and did not end well.
    half: AtomicBool,
}

impl FlawedImages {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn error(&self, error: ImageError, image: &ImageName) -> ImageError {
        match error {
            ImageError::NotFound { message, .. } | ImageError::Registry { message, .. }
                if self.is(Flaw::TellsNothingApart) =>
            {
                unavailable(message)
            }
            ImageError::Denied { message, .. } if self.is(Flaw::TakesDeniedForMissing) => {
                ImageError::NotFound { image: image.clone(), message }
            }
            error => error,
        }
    }
}

fn unavailable(message: String) -> ImageError {
    ImageError::Unavailable { message, transient: false, source: None }
}

#[async_trait]
impl Images for FlawedImages {
    async fn find(&self, name: &ImageName) -> Result<Option<Image>, ImageError> {
        let found = self.inner.find(name).await?;
        let half = self.is(Flaw::NamesHalfImages) && self.half.load(Ordering::Relaxed);
        let half = half.then(|| Image { id: String::new(), names: vec![name.clone()], size_bytes: 0 });
        Ok(found.or(half))
    }

    async fn list(&self) -> Result<Vec<Image>, ImageError> {
        let mut list = self.inner.list().await?;
        if self.is(Flaw::ForgetsNamelessImages) {
            list.retain(|image| !image.names.is_empty());
        }
        Ok(list)
    }

    async fn pull(
        &self,
        name: &ImageName,
        credentials: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<Image, ImageError> {
        let silent = self.is(Flaw::TellsNoProgress);
        let progress = |told| {
            if !silent {
                progress(told);
            }
        };
        self.inner.pull(name, credentials, &progress).await.map_err(|error| self.error(error, name))
    }

    async fn import(&self, archive: ArchiveStream) -> Result<Vec<Image>, ImageError> {
        self.half.store(true, Ordering::Relaxed);
        let before = self.inner.list().await?;
        let result = self.inner.import(archive).await;
        if result.is_ok() {
            self.half.store(false, Ordering::Relaxed);
        }
        match result {
            Ok(images) if self.is(Flaw::ImportsOnce) && images.iter().all(|image| before.contains(image)) => {
                Err(unavailable("it exists already".to_owned()))
            }
            Err(ImageError::Invalid { .. }) if self.is(Flaw::TakesAnything) => Ok(Vec::new()),
            result => result,
        }
    }

    async fn remove(&self, id: &str) -> Result<(), ImageError> {
        let there = self.inner.list().await?.iter().any(|image| image.id == id);
        match self.inner.remove(id).await {
            Ok(()) if self.is(Flaw::RemovesOnce) && !there => Err(unavailable("there is no such image".to_owned())),
            Err(ImageError::InUse { .. }) if self.is(Flaw::RemovesImagesInUse) => Ok(()),
            result => result,
        }
    }
}

/// A place where images have a flaw, or none.
#[derive(Debug)]
pub struct FlawedPlace<F: RuntimeFixture> {
    flaw: Option<Flaw>,
    inner: runtime::FlawedPlace<F>,
    images: Mutex<Option<Arc<dyn Images>>>,
}

impl<F: ImagesFixture> FlawedPlace<F> {
    /// A place over one whose images keep the contract.
    pub fn new(flaw: Option<Flaw>, inner: F) -> Self {
        let without = runtime::Flaw::LeavesOut(Omission::Image);
        let inner = runtime::FlawedPlace::new((flaw == Some(Flaw::StartsWithoutImages)).then_some(without), inner);
        Self { flaw, inner, images: Mutex::default() }
    }
}

#[async_trait]
impl<F: ImagesFixture> RuntimeFixture for FlawedPlace<F> {
    type Runtime = FlawedRuntime;

    async fn open(&self) -> FlawedRuntime {
        let runtime = self.inner.inner().open().await;
        let images = self.inner.inner().images(&runtime);
        *self.images.lock().unwrap_or_else(PoisonError::into_inner) = Some(images);
        self.inner.open_over(runtime)
    }

    async fn open_stranger(&self) -> FlawedRuntime {
        self.inner.open_stranger().await
    }

    fn container(&self, program: Program) -> ContainerSpec {
        self.inner.container(program)
    }

    fn command(&self, command: Beside) -> Vec<String> {
        self.inner.command(command)
    }

    async fn processes(&self) -> BTreeSet<String> {
        self.inner.processes().await
    }

    async fn traces(&self) -> BTreeSet<String> {
        self.inner.traces().await
    }

    fn can(&self, ability: Ability) -> bool {
        self.inner.can(ability)
    }

    async fn destroy_sandbox(&self, pod: &PodUid) -> bool {
        self.inner.destroy_sandbox(pod).await
    }

    async fn kill_behind_back(&self, id: &ContainerId) -> bool {
        self.inner.kill_behind_back(id).await
    }

    async fn remove_behind_back(&self, id: &ContainerId) -> bool {
        self.inner.remove_behind_back(id).await
    }
}

#[async_trait]
impl<F: ImagesFixture> ImagesFixture for FlawedPlace<F> {
    fn images(&self, _: &FlawedRuntime) -> Arc<dyn Images> {
        let images = self.images.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let inner = images.expect("a runtime was opened first");
        Arc::new(FlawedImages { flaw: self.flaw, inner, half: AtomicBool::new(false) })
    }

    fn archive(&self, name: &ImageName, number: u32) -> Vec<u8> {
        self.inner.inner().archive(name, number)
    }

    async fn registry(&self) -> Option<RegistryNames> {
        self.inner.inner().registry().await
    }
}
