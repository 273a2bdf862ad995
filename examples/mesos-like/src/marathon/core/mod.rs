//! What decides: which instances of which apps run, and what becomes of them.

mod backoff;
mod change;
mod deploy;
mod deployment;
mod history;
mod instance;
mod offers;
mod queue;
mod reconcile;
mod recorded;
mod refused;
mod resident;
mod rollout;
mod root;
mod service_ports;
mod show;
mod status;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_core::clock::Timestamp;
use orch_core::entropy::SeededEntropy;
use orch_core::object::Uid;

pub use backoff::Delays;
pub use change::Deployed;
pub use deployment::{Action, ActionKind, Aim, Change, Deployment, Step};
pub use history::History;
pub use instance::{Instance, Phase};
pub use queue::Waiting;
pub use recorded::RecordError;
pub use refused::Refused;
pub use root::{Circle, GroupInfo, Root};
pub use show::{AppQuery, Embed};
pub use status::Failure;
pub use tell::{Notice, Probe};

use super::model::{App, AppId, Version};
use crate::framework::driver::{Core, Turn};
use crate::wire::Offer;
use crate::wire::scheduler::{Call, CallType, Event, EventType, InRoles};

/// How Marathon behaves, beside what its apps say.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// In which role it is offered something.
    pub role: String,
    /// In which roles offers are taken by apps that say nothing of it.
    pub accepted_roles: BTreeSet<String>,
    /// How many seconds offers are declined for that are of no use.
    pub decline_seconds: f64,
    /// How many milliseconds pass at least between two times that it asks for what it declined.
    pub revive_interval: i64,
    /// After how many milliseconds a task that is not known to run is given up.
    pub launch_timeout: i64,
    /// After how many milliseconds a task that was told to end, or of which nothing is heard, is asked after again.
    pub ask_again: i64,
    /// How often it asks how all tasks are, in milliseconds.
    pub reconciliation_interval: i64,
    /// How many seconds an app must not fail for earlier failures to be forgotten.
    pub viable_seconds: u64,
    /// How many versions of an app are kept.
    pub most_versions: usize,
    /// From where ports are chosen for whoever balances load.
    pub service_ports: std::ops::RangeInclusive<u16>,
}

/// Marathon: it decides, and does nothing by itself.
#[derive(Debug)]
pub struct Marathon {
    settings: Settings,
    entropy: SeededEntropy,
    framework_id: Option<String>,
    root: Root,
    history: History,
    deployments: BTreeMap<String, Deployment>,
    instances: BTreeMap<String, Instance>,
    by_app: BTreeMap<AppId, BTreeSet<String>>,
    by_task: BTreeMap<String, String>,
    /// The instances whose disks are to be given back.
    released: BTreeSet<String>,
    failures: BTreeMap<AppId, Failure>,
    delays: Delays,
    queue: BTreeMap<AppId, Waiting>,
    /// The last version that was given, so that no two are the same.
    last_version: Version,
    offers: Vec<Offer>,
    dirty: BTreeSet<AppId>,
    wakes: BTreeSet<(Version, AppId)>,
    /// When instances are asked after again, or told again to end, or asked again whether they are ready.
    asked: BTreeMap<String, Version>,
    /// Instances of which nothing was heard for a while.
    quiet: Vec<String>,
    /// Apps that are what their deployment's step wants.
    settled: BTreeSet<AppId>,
    standing: Standing,
    out: Out,
}

/// How it stands with the master.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Standing {
    is_connected: bool,
    is_suppressed: bool,
    /// How many instances waited when it last asked for what it declined.
    revived_for: u32,
    revived_at: Version,
    reconciled_at: Version,
    /// After how many milliseconds it asks again how all tasks are: soon at first, as agents that come to a new master later
    /// may run what is not known here.
    reconciles_after: i64,
}

/// What is to be recorded and done at the end of a turn.
#[derive(Debug, Default)]
struct Out {
    changes: crate::framework::Changes,
    calls: Vec<(CallType, Call)>,
    notices: Vec<Notice>,
}

impl Marathon {
    /// Marathon before anything was recorded.
    #[must_use]
    pub fn new(settings: Settings, entropy: SeededEntropy) -> Self {
        Self {
            settings,
            entropy,
            framework_id: None,
            root: Root::default(),
            history: History::default(),
            deployments: BTreeMap::new(),
            instances: BTreeMap::new(),
            by_app: BTreeMap::new(),
            by_task: BTreeMap::new(),
            released: BTreeSet::new(),
            failures: BTreeMap::new(),
            delays: Delays::default(),
            queue: BTreeMap::new(),
            last_version: Version::default(),
            offers: Vec::new(),
            dirty: BTreeSet::new(),
            wakes: BTreeSet::new(),
            asked: BTreeMap::new(),
            quiet: Vec::new(),
            settled: BTreeSet::new(),
            standing: Standing::default(),
            out: Out::default(),
        }
    }

    /// The framework's id, once a master gave it one.
    #[must_use]
    pub fn framework_id(&self) -> Option<&str> {
        self.framework_id.as_deref()
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The apps and groups that shall be.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// What apps were.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The instances that there are, by their ids.
    #[must_use]
    pub fn instances(&self) -> &BTreeMap<String, Instance> {
        &self.instances
    }

    /// The deployments that are not over, by their ids.
    #[must_use]
    pub fn deployments(&self) -> &BTreeMap<String, Deployment> {
        &self.deployments
    }

    /// How an instance of an app failed last.
    #[must_use]
    pub fn failure(&self, app: &AppId) -> Option<&Failure> {
        self.failures.get(app)
    }

    /// The instances of an app.
    pub fn instances_of(&self, app: &AppId) -> impl Iterator<Item = &Instance> {
        self.by_app.get(app).into_iter().flatten().filter_map(|id| self.instances.get(id))
    }

    /// What an instance runs.
    #[must_use]
    pub fn spec_of(&self, instance: &Instance) -> Option<&Arc<App>> {
        self.history.get(&instance.app, instance.version)
    }

    fn unique(&self) -> String {
        Uid::random(&self.entropy).to_string()
    }

    fn call(&mut self, kind: CallType, call: Call) {
        self.out.calls.push((kind, call));
    }
}

impl Core for Marathon {
    type Notice = Notice;

    fn event(&mut self, event: Event, now: Timestamp) {
        let now = Version::from(now);
        match event.r#type() {
            EventType::Subscribed => {
                let id = event.subscribed.map(|subscribed| subscribed.framework_id.value);
                self.subscribed(id.unwrap_or_default(), now);
            }
            EventType::Offers => self.offers.extend(event.offers.map(|offers| offers.offers).unwrap_or_default()),
            EventType::Rescind => {
                let id = event.rescind.map(|rescind| rescind.offer_id);
                self.offers.retain(|offer| Some(&offer.id) != id.as_ref());
            }
            EventType::Update => {
                if let Some(update) = event.update {
                    self.update(&update.status, now);
                }
            }
            _ => {}
        }
    }

    fn ended(&mut self, reason: &str) {
        // A framework that was removed cannot come back under its id; its tasks were ended with it.
        if reason.contains("removed") {
            self.framework_id = None;
            self.out.changes.insert(recorded::FRAMEWORK.to_owned(), None);
        }
    }

    fn turn(&mut self, now: Timestamp) -> Turn<Notice> {
        let now = Version::from(now);
        self.wake(now);
        self.reconcile_all(now);
        if self.standing.is_connected {
            self.answer_offers(now);
            self.reconcile_all(now);
            self.ask_for_offers(now);
            self.ask_after_tasks(now);
        }
        self.delays.forget(now, self.settings.viable_seconds);
        let next = self.next(now);
        let Out { changes, calls, notices } = std::mem::take(&mut self.out);
        Turn { changes, calls, notices, next }
    }
}

impl Marathon {
    fn subscribed(&mut self, id: String, now: Version) {
        if self.framework_id.as_deref() != Some(&id) {
            self.out.changes.insert(recorded::FRAMEWORK.to_owned(), Some(serde_json::json!({ "id": id })));
            self.framework_id = Some(id);
        }
        // Offers of before are gone, and so is what was asked for.
        self.offers.clear();
        self.standing = Standing {
            is_connected: true,
            reconciled_at: now,
            reconciles_after: self.settings.ask_again.max(1),
            ..Standing::default()
        };
        self.asked.clear();
        self.quiet.clear();
        self.reconcile_tasks();
        self.dirty.extend(self.root.apps.keys().chain(self.by_app.keys()).cloned());
    }

    /// Asks the master for offers as long as something waits for them, and for none otherwise.
    fn ask_for_offers(&mut self, now: Version) {
        let released = u32::from(!self.released.is_empty());
        let wanted: u32 =
            self.queue.values().filter(|waiting| self.may_start(waiting, now)).map(|waiting| waiting.count).sum();
        let roles = || InRoles { roles: vec![self.settings.role.clone()] };
        let wanted = wanted + released;
        if wanted == 0 {
            self.standing.revived_for = 0;
            if !self.standing.is_suppressed {
                self.standing.is_suppressed = true;
                let suppress = Call { suppress: Some(roles()), ..Call::default() };
                self.call(CallType::Suppress, suppress);
            }
            return;
        }
        let is_more = self.standing.is_suppressed || wanted > self.standing.revived_for;
        if is_more && self.standing.revived_at.after_millis(self.settings.revive_interval) <= now {
            self.standing = Standing { is_suppressed: false, revived_for: wanted, revived_at: now, ..self.standing };
            let revive = Call { revive: Some(roles()), ..Call::default() };
            self.call(CallType::Revive, revive);
        } else if wanted < self.standing.revived_for {
            self.standing.revived_for = wanted;
        }
    }

    /// When there may be something to do although nothing happens.
    fn next(&self, now: Version) -> Option<Timestamp> {
        let waits_to_revive =
            self.queue.values().any(|waiting| self.may_start(waiting, now)) && self.standing.is_connected;
        let revive = waits_to_revive.then(|| self.standing.revived_at.after_millis(self.settings.revive_interval));
        let next = self.wakes.first().map(|(at, _)| *at).into_iter().chain(revive.filter(|at| *at > now)).min();
        let reconcile = self.standing.reconciled_at.after_millis(self.standing.reconciles_after);
        let reconcile = self.standing.is_connected.then_some(reconcile);
        let next = next.into_iter().chain(reconcile).min()?.max(now.after_millis(1));
        Timestamp::from_millisecond(next.0).ok()
    }
}

#[cfg(test)]
pub(crate) mod tests;
