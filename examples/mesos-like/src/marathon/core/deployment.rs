//! [`Deployment`]: how apps become what they shall be, in which order, and how far that is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::root::{Circle, Root};
use crate::marathon::model::{AppId, Version};

/// How some apps become what they shall be. Each of its steps is taken when the one before is done; an app that has its step
/// still before it stays what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    /// By what it is known.
    pub id: String,
    /// When it was decided.
    pub version: Version,
    /// The apps that it is about: what they were, by version, and what they shall be.
    pub apps: BTreeMap<AppId, Change>,
    /// In which order.
    pub steps: Vec<Step>,
    /// Which step is being taken, from 0.
    pub current: usize,
}

/// What an app was and what it shall be: nothing if it was or shall not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The version before.
    pub from: Option<Version>,
    /// The version after.
    pub to: Option<Version>,
}

/// What is done at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What is done.
    pub actions: Vec<Action>,
}

/// What is done with an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// What.
    pub action: ActionKind,
    /// With which app.
    pub app: AppId,
}

/// What is done with an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionKind {
    /// It ends.
    StopApplication,
    /// It begins, without an instance.
    StartApplication,
    /// It gets more instances, or fewer.
    ScaleApplication,
    /// Its instances are replaced.
    RestartApplication,
}

/// What a deployment wants of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// It stays this version, or does not run.
    Hold(Option<Version>),
    /// It becomes this version, whose instances replace others.
    Replace(Version),
    /// It becomes this version.
    Scale(Version),
    /// It ends.
    Stop,
    /// It is this version, whose step is done.
    Reached(Option<Version>),
}

impl Deployment {
    /// How one root becomes another: the apps that change, and those of them whose instances are replaced.
    ///
    /// # Errors
    /// [`Circle`] if apps of the new root wait for each other.
    pub fn plan(
        id: String,
        version: Version,
        before: &Root,
        after: &Root,
        changed: &BTreeSet<AppId>,
        replaced: &BTreeSet<AppId>,
    ) -> Result<Self, Circle> {
        let version_in = |root: &Root, app: &AppId| root.apps.get(app).map(|app| app.version);
        let change = |app: &AppId| Change { from: version_in(before, app), to: version_in(after, app) };
        let apps: BTreeMap<AppId, Change> = changed.iter().map(|app| (app.clone(), change(app))).collect();
        let action = |action, app: &AppId| Action { action, app: app.clone() };
        let with = |kind: ActionKind, is: fn(&Change) -> bool| -> Step {
            Step { actions: apps.iter().filter(|(_, change)| is(change)).map(|(app, _)| action(kind, app)).collect() }
        };
        let mut steps = vec![
            with(ActionKind::StopApplication, |change| change.to.is_none()),
            with(ActionKind::StartApplication, |change| change.from.is_none()),
        ];
        let remaining = apps.iter().filter(|(_, change)| change.to.is_some()).map(|(app, _)| app.clone()).collect();
        for layer in after.layers(&remaining)? {
            let kind = |app: &AppId| match apps[app].from.is_some() && replaced.contains(app) {
                true => ActionKind::RestartApplication,
                false => ActionKind::ScaleApplication,
            };
            // An app that shall have no instances, and had none, needs nothing more.
            let needs = |app: &&AppId| apps[*app].from.is_some() || after.apps[*app].instances > 0;
            steps.push(Step { actions: layer.iter().filter(needs).map(|app| action(kind(app), app)).collect() });
        }
        steps.retain(|step| !step.actions.is_empty());
        Ok(Self { id, version, apps, steps, current: 0 })
    }

    /// What is wanted of one of its apps now.
    #[must_use]
    pub fn aim(&self, app: &AppId) -> Option<Aim> {
        let change = self.apps.get(app)?;
        let Some(to) = change.to else {
            let stops =
                self.steps.iter().position(|step| step.has(app, ActionKind::StopApplication)).unwrap_or_default();
            return Some(if stops >= self.current { Aim::Stop } else { Aim::Reached(None) });
        };
        let last = self.steps.iter().rposition(|step| step.actions.iter().any(|action| action.app == *app));
        Some(match last {
            Some(step) if step > self.current => Aim::Hold(change.from),
            Some(step) if step == self.current => match self.steps[step].has(app, ActionKind::RestartApplication) {
                true => Aim::Replace(to),
                false => Aim::Scale(to),
            },
            _ => Aim::Reached(Some(to)),
        })
    }

    /// What is being done now.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        self.steps.get(self.current).map_or(&[], |step| &step.actions)
    }

    /// Whether all steps are done.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.current >= self.steps.len()
    }
}

impl Step {
    fn has(&self, app: &AppId, kind: ActionKind) -> bool {
        self.actions.iter().any(|action| action.app == *app && action.action == kind)
    }
}
