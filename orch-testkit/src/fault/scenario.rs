//! [`Scenario`]: what is played through, with and without faults.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use orch_core::client::{ClientError, Grace};
use orch_core::clock::Timestamp;
use orch_core::controller::Controller;
use orch_core::key::Key;
use orch_core::kind::{AnyObject, Object};

use super::{Cluster, Family};

type Maker = Box<dyn Fn() -> Arc<dyn Controller> + Send + Sync>;
type Make = dyn Fn(&Cluster) -> System + Send + Sync;
type Check = dyn Fn(&Cluster) -> Result<(), String> + Send + Sync;
type Deed = dyn for<'a> Fn(&'a Cluster) -> BoxFuture<'a, Result<(), ClientError>> + Send + Sync;
type Outside = dyn Fn() -> String + Send + Sync;
type Wish = dyn Fn(&Cluster) -> bool + Send + Sync;

/// A small closed system and what its users do to it: the objects at the start, the controllers, the rest of the
/// cluster as [`Actor`]s, and steps. Played without faults it must come to rest after every step.
pub struct Scenario {
    pub(super) name: &'static str,
    pub(super) start: Timestamp,
    pub(super) horizon: Duration,
    pub(super) make: Arc<Make>,
    pub(super) initial: Vec<Arc<dyn AnyObject>>,
    pub(super) bystanders: Vec<Arc<dyn AnyObject>>,
    pub(super) invalid: Vec<Arc<dyn AnyObject>>,
    pub(super) steps: Vec<Step>,
    pub(super) unpaired: Vec<(Family, &'static str)>,
    pub(super) invariants: Vec<(&'static str, Box<Check>)>,
}

impl Scenario {
    /// A scenario of the controllers and actors that `make` makes. It is called once for every time the scenario is
    /// played, so what lies outside the store, such as a runtime, is made in it, and survives a restart of the
    /// controllers.
    #[must_use]
    pub fn new(name: &'static str, make: impl Fn(&Cluster) -> System + Send + Sync + 'static) -> Self {
        Self {
            name,
            start: Timestamp::from_second(1_800_000_000).unwrap_or(Timestamp::UNIX_EPOCH),
            horizon: Duration::from_secs(900),
            make: Arc::new(make),
            initial: Vec::new(),
            bystanders: Vec::new(),
            invalid: Vec::new(),
            steps: Vec::new(),
            unpaired: Vec::new(),
            invariants: Vec::new(),
        }
    }

    /// An object that is there from the start.
    #[must_use]
    pub fn object<T: Object>(mut self, object: T) -> Self {
        self.initial.push(Arc::new(object));
        self
    }

    /// An object that is there from the start and is no business of the controllers: none of them may write to it.
    #[must_use]
    pub fn bystander<T: Object>(mut self, object: T) -> Self {
        self.bystanders.push(Arc::new(object));
        self
    }

    /// An object that breaks the rules of its kind, as a careless store may hold it. It is not part of the story: it is
    /// tried alone, and the controllers may change nothing but its status.
    #[must_use]
    pub fn invalid<T: Object>(mut self, object: T) -> Self {
        self.invalid.push(Arc::new(object));
        self
    }

    /// Something that a user does when the system has come to rest, after all steps before.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Something that must hold after every single write. The error says what is wrong.
    #[must_use]
    pub fn always(
        mut self,
        words: &'static str,
        check: impl Fn(&Cluster) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.invariants.push((words, Box::new(check)));
        self
    }

    /// Does not pair the faults of a family with others, because what is tested cannot survive that. Each alone is tried
    /// all the same. The reason is printed with the number of plans.
    #[must_use]
    pub fn unpaired(mut self, family: Family, why: &'static str) -> Self {
        self.unpaired.push((family, why));
        self
    }

    /// How long after the last write of a controller, and the last step, the system is left alone before it counts as
    /// at rest, in simulated time; 15 minutes by default. Make it longer than the longest wait of the controllers.
    #[must_use]
    pub fn horizon(mut self, time: Duration) -> Self {
        self.horizon = time;
        self
    }

    /// The scenario's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario").field("name", &self.name).field("steps", &self.steps).finish_non_exhaustive()
    }
}

/// The moving parts of a scenario.
#[derive(Default)]
pub struct System {
    pub(super) controllers: Vec<Maker>,
    pub(super) actors: Vec<Box<dyn Actor>>,
    pub(super) outside: Vec<(&'static str, Box<Outside>)>,
}

impl System {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A controller, tested by faults. `make` makes it with empty memory, at the start and after every crash.
    #[must_use]
    pub fn controller(mut self, make: impl Fn() -> Arc<dyn Controller> + Send + Sync + 'static) -> Self {
        self.controllers.push(Box::new(make));
        self
    }

    /// Another part of the cluster, which no fault hits.
    #[must_use]
    pub fn actor(mut self, actor: impl Actor) -> Self {
        self.actors.push(Box::new(actor));
        self
    }

    /// A state outside the store, in words, that must be the same in the end whatever the faults.
    #[must_use]
    pub fn outside(mut self, name: &'static str, state: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.outside.push((name, Box::new(state)));
        self
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outside: Vec<_> = self.outside.iter().map(|(name, _)| name).collect();
        f.debug_struct("System")
            .field("controllers", &self.controllers.len())
            .field("actors", &self.actors)
            .field("outside", &outside)
            .finish()
    }
}

/// A part of the cluster that is not tested, and does its part so that the system can come to rest: a node's agent, a
/// scheduler. What it does must follow from the state alone, or two runs could not be compared: addresses from names,
/// not from the order of events.
#[async_trait]
pub trait Actor: fmt::Debug + Send + 'static {
    /// Does the next thing that there is to do, with at most one write. Returns whether there was something.
    async fn act(&mut self, cluster: &Cluster) -> bool;

    /// How long until there is something to do though nothing changes, if so.
    fn wakes_after(&self, cluster: &Cluster) -> Option<Duration> {
        let _ = cluster;
        None
    }
}

/// Something that a user does.
pub struct Step {
    pub(super) words: String,
    pub(super) once: Option<Box<Wish>>,
    pub(super) deed: Box<Deed>,
}

impl Step {
    /// Does anything.
    #[must_use]
    pub fn new(
        words: impl Into<String>,
        deed: impl for<'a> Fn(&'a Cluster) -> BoxFuture<'a, Result<(), ClientError>> + Send + Sync + 'static,
    ) -> Self {
        Self { words: words.into(), once: None, deed: Box::new(deed) }
    }

    /// Creates an object.
    #[must_use]
    pub fn create<T: Object>(object: T) -> Self {
        let words = format!("create {} {}", T::KIND.name, object.metadata().name);
        Self::new(words, move |cluster| cluster.create(object.clone()).boxed())
    }

    /// Changes an object.
    #[must_use]
    pub fn update<T: Object>(words: &str, key: &Key, change: impl Fn(&mut T) + Send + Sync + 'static) -> Self {
        let (key, change) = (key.clone(), Arc::new(change));
        Self::new(words, move |cluster| {
            let (key, change) = (key.clone(), change.clone());
            async move { cluster.update::<T>(&key, |object| change(object)).await }.boxed()
        })
    }

    /// Changes the first object of its kind that `which` chooses, in the order of keys.
    #[must_use]
    pub fn update_first<T: Object>(
        words: &str,
        which: impl Fn(&T) -> bool + Send + Sync + 'static,
        change: impl Fn(&mut T) + Send + Sync + 'static,
    ) -> Self {
        let (which, change) = (Arc::new(which), Arc::new(change));
        Self::new(words, move |cluster| {
            let first = cluster.list::<T>().into_iter().find(|object| which(object));
            let change = change.clone();
            async move {
                let Some(first) = first else { return Ok(()) };
                cluster.update::<T>(&first.key()?, |object| change(object)).await
            }
            .boxed()
        })
    }

    /// Asks for the deletion of an object.
    #[must_use]
    pub fn delete<T: Object>(key: &Key) -> Self {
        let key = key.clone();
        Self::new(format!("delete {key}"), move |cluster| {
            let key = key.clone();
            async move { cluster.delete::<T>(&key, Grace::Own).await }.boxed()
        })
    }

    /// Asks for the deletion of the first object of its kind that `which` chooses, in the order of keys.
    #[must_use]
    pub fn delete_first<T: Object>(words: &str, which: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        Self::new(words, move |cluster| {
            let first = cluster.list::<T>().into_iter().find(|object| which(object));
            async move {
                match first {
                    Some(first) => cluster.delete::<T>(&first.key()?, Grace::Own).await,
                    None => Ok(()),
                }
            }
            .boxed()
        })
    }

    /// The same, not when the system has come to rest but as soon as `holds`.
    #[must_use]
    pub fn as_soon_as(mut self, holds: impl Fn(&Cluster) -> bool + Send + Sync + 'static) -> Self {
        self.once = Some(Box::new(holds));
        self
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
