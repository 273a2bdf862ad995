//! [`Puller`]: fetches images in the background.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use futures::stream::BoxStream;
use orch_core::key::Key;
use orch_core::runtime::{ContainerId, Image, ImageName, Images, PodUid, PullProgress};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;

use super::background::{Background, Teller, lock};
use super::pull::{Pull, PullState};

/// How often people are told how far a pull has come.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Fetches images in the background, some at a time, and each once, for however many containers. Dropped, it fetches no
/// more.
#[derive(Debug)]
pub(super) struct Puller {
    fetcher: Arc<Fetcher>,
    /// By the attempts that are to be started.
    pulls: Background<ContainerId, Stage>,
}

/// How far a pull has come, in the time of this process.
#[derive(Clone, Debug)]
enum Stage {
    Pulling { failures: u32, progress: PullProgress },
    Pulled { took: Duration, waited: Duration, size_bytes: u64 },
    Failed { message: String, failures: u32, at: Instant },
}

#[derive(Debug)]
struct Fetcher {
    images: Arc<dyn Images>,
    /// As many as may be fetched at a time.
    turns: Semaphore,
    /// What is being fetched.
    fetches: Mutex<BTreeMap<ImageName, Weak<Fetch>>>,
}

/// One fetching of an image, which several may wait for.
#[derive(Debug, Default)]
struct Fetch {
    progress: Mutex<PullProgress>,
    result: OnceCell<Result<Fetched, String>>,
}

#[derive(Clone, Debug)]
struct Fetched {
    image: Image,
    took: Duration,
}

impl Puller {
    pub(super) fn new(images: Arc<dyn Images>, at_a_time: usize) -> Self {
        let turns = Semaphore::new(at_a_time.clamp(1, Semaphore::MAX_PERMITS));
        let fetcher = Fetcher { images, turns, fetches: Mutex::default() };
        Self { fetcher: Arc::new(fetcher), pulls: Background::new() }
    }

    pub(super) fn images(&self) -> &dyn Images {
        &*self.fetcher.images
    }

    /// How far the pulls for the pod's containers have come.
    pub(super) fn states(&self, pod: &PodUid) -> BTreeMap<ContainerId, PullState> {
        let now = Instant::now();
        let state = |stage| match stage {
            Stage::Pulling { failures, progress } => PullState::Pulling { failures, progress },
            Stage::Pulled { took, waited, size_bytes } => PullState::Pulled { took, waited, size_bytes },
            Stage::Failed { message, failures, at } => {
                PullState::Failed { message, failures, ago: now.saturating_duration_since(at) }
            }
        };
        self.pulls.states(pod).into_iter().map(|(id, stage)| (id, state(stage))).collect()
    }

    /// From now on, exactly these images are fetched for the pod's containers. What was begun before goes on; what
    /// failed as often as a pull says is tried again.
    pub(super) fn pull(&self, pod: &PodUid, key: &Key, pulls: &[Pull]) {
        self.pulls.retain(pod, |id, stage| {
            let pull = pulls.iter().find(|pull| pull.id == *id);
            let again = |failures: &u32| pull.is_some_and(|pull| pull.failures == *failures);
            pull.is_some() && !matches!(stage, Stage::Failed { failures, .. } if again(failures))
        });
        for pull in pulls {
            let stage = Stage::Pulling { failures: pull.failures, progress: PullProgress::default() };
            let fetcher = Arc::clone(&self.fetcher);
            self.pulls.begin(&pull.id, key, stage, |teller| run(fetcher, pull.clone(), teller));
        }
    }

    /// The image was used: its container was started.
    pub(super) fn used(&self, id: &ContainerId) {
        self.pulls.retain(&id.pod, |other, _| other != id);
    }

    /// Nothing more is fetched for the pod's containers.
    pub(super) fn forget(&self, pod: &PodUid) {
        self.pulls.retain(pod, |_, _| false);
    }

    /// The keys of pods for which a pull came further, for ever.
    pub(super) fn changes(&self) -> BoxStream<'static, Key> {
        self.pulls.news()
    }
}

/// Fetches the image for one container, or waits until it was fetched for another.
async fn run(fetcher: Arc<Fetcher>, pull: Pull, teller: Teller<ContainerId, Stage>) {
    let begun = Instant::now();
    let fetch = fetcher.fetch(&pull.image);
    let fetched = fetch.result.get_or_init(|| fetcher.run(&pull.image, &fetch));
    tokio::pin!(fetched);
    let fetched = loop {
        let told = tokio::time::timeout(TELL_EVERY, &mut fetched).await;
        if let Ok(fetched) = told {
            break fetched.clone();
        }
        teller.tell(Stage::Pulling { failures: pull.failures, progress: *lock(&fetch.progress) });
    };
    teller.tell(match fetched {
        Ok(Fetched { image, took }) => Stage::Pulled { took, waited: begun.elapsed(), size_bytes: image.size_bytes },
        Err(message) => Stage::Failed { message, failures: pull.failures.saturating_add(1), at: Instant::now() },
    });
}

impl Fetcher {
    /// The fetching of an image that is under way, or a new one.
    fn fetch(&self, image: &ImageName) -> Arc<Fetch> {
        let mut fetches = lock(&self.fetches);
        fetches.retain(|_, fetch| fetch.strong_count() > 0);
        if let Some(fetch) = fetches.get(image).and_then(Weak::upgrade).filter(|fetch| !fetch.result.initialized()) {
            return fetch;
        }
        let fetch = Arc::new(Fetch::default());
        fetches.insert(image.clone(), Arc::downgrade(&fetch));
        fetch
    }

    async fn run(&self, name: &ImageName, fetch: &Fetch) -> Result<Fetched, String> {
        // It fails only when the semaphore is closed, which nobody does.
        let _turn = self.turns.acquire().await;
        let begun = Instant::now();
        let progress = |progress| *lock(&fetch.progress) = progress;
        match self.images.pull(name, None, &progress).await {
            Ok(image) => Ok(Fetched { image, took: begun.elapsed() }),
            Err(error) => Err(error.to_string()),
        }
    }
}
