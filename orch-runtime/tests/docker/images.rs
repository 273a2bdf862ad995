//! The suite of images. Its clauses look at every image of a daemon, so they have one to themselves, one after the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use orch_core::runtime::{ContainerId, ContainerSpec, Credentials, ImageName, Images, PodUid};
use orch_runtime::DockerRuntime;
use orch_testkit::daemon::{Dockerd, Registry, RegistryAccess, RegistryFault, busybox_image};
use orch_testkit::suite::images::{ImagesFixture, RegistryNames};
use orch_testkit::suite::runtime::{Ability, Beside, Program, RuntimeFixture};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::place::{IMAGE, Place, outside};

orch_testkit::images_suite!(crate::images::ImagesPlace::new());

/// What it is made of goes in this order.
pub(crate) struct ImagesPlace {
    place: Place,
    _images: Remover,
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::const_new(());

async fn daemon() -> &'static Dockerd {
    static DAEMON: OnceCell<Dockerd> = OnceCell::const_new();
    let start = async || {
        let daemon = Dockerd::start().await;
        daemon.load(&busybox_image(), IMAGE);
        daemon
    };
    DAEMON.get_or_init(start).await
}

impl ImagesPlace {
    pub(crate) fn new() -> Self {
        let (alone, daemon) = outside(async || (ALONE.lock().await, daemon().await));
        Self { place: Place::on(daemon), _images: Remover(daemon), _alone: alone }
    }
}

/// Removes what a clause leaves, which would be found by the next.
struct Remover(&'static Dockerd);

impl Drop for Remover {
    fn drop(&mut self) {
        let Self(daemon) = self;
        let listed = daemon.docker(["images", "--quiet", "--no-trunc", "--filter", "reference=*/orch/*"]);
        let ids: BTreeSet<String> = String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect();
        for id in ids {
            daemon.docker(["rmi", "--force", &id]);
        }
        daemon.docker(["image", "prune", "--force"]);
    }
}

#[async_trait]
impl RuntimeFixture for ImagesPlace {
    type Runtime = DockerRuntime;

    async fn open(&self) -> DockerRuntime {
        self.place.open().await
    }

    async fn open_stranger(&self) -> DockerRuntime {
        self.place.open_stranger().await
    }

    fn container(&self, program: Program) -> ContainerSpec {
        self.place.container(program)
    }

    fn command(&self, command: Beside) -> Vec<String> {
        self.place.command(command)
    }

    async fn processes(&self) -> BTreeSet<String> {
        self.place.processes().await
    }

    async fn traces(&self) -> BTreeSet<String> {
        self.place.traces().await
    }

    fn can(&self, ability: Ability) -> bool {
        self.place.can(ability)
    }

    async fn destroy_sandbox(&self, pod: &PodUid) -> bool {
        self.place.destroy_sandbox(pod).await
    }

    async fn kill_behind_back(&self, id: &ContainerId) -> bool {
        self.place.kill_behind_back(id).await
    }
}

#[async_trait]
impl ImagesFixture for ImagesPlace {
    fn images(&self, runtime: &DockerRuntime) -> Arc<dyn Images> {
        Arc::new(runtime.clone())
    }

    fn archive(&self, name: &ImageName, number: u32) -> Vec<u8> {
        busybox_image().label("number", &number.to_string()).archive(&name.to_string())
    }

    async fn registry(&self) -> Option<RegistryNames> {
        let host = self.place.daemon().host();
        let offer = |access: RegistryAccess, fault: Option<RegistryFault>| {
            let registry = Box::leak(Box::new(Registry::start(host)));
            // Each has content of its own: what Docker has of one need not be fetched from another.
            let image = busybox_image().label("registry", &registry.address()).file(
                "registry",
                0o644,
                registry.address().as_bytes(),
            );
            let name = registry.offer(&image, "orch/suite", "1");
            registry.require(access);
            registry.fail(fault);
            name.parse::<ImageName>().expect("a name")
        };
        let there = offer(RegistryAccess::Open, None);
        let missing = format!("{}/orch/missing:1", there.registry()).parse().expect("a name");
        let damaged = Some(offer(RegistryAccess::Open, Some(RegistryFault::WrongDigest)));
        let credentials = Credentials { username: "somebody".into(), password: "a-secret-word".into() };
        let access = RegistryAccess::Basic(credentials.username.clone(), credentials.password.clone());
        let secret = Some((offer(access, None), credentials));
        let down = "127.0.0.1:1/orch/suite:1".parse().expect("a name");
        Some(RegistryNames { there, missing, damaged, secret, down })
    }
}
