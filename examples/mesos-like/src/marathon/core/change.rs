//! What people ask for: apps and groups that shall be so, and deployments that shall end.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::refused::{invalid, within};
use super::tell::Told;
use super::{GroupInfo, Instance, Marathon, Refused, Root};
use crate::marathon::model::read::{self, Group, GroupChange};
use crate::marathon::model::{App, AppId, Version};

/// What was asked for is being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The version of all that changed.
    pub version: Version,
    /// The deployment's id.
    pub id: String,
}

impl Marathon {
    /// A new app shall run.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn create(&mut self, body: Value, force: bool, now: Version) -> Result<(AppId, Deployed), Refused> {
        let app = read::app(body, &AppId::root(), None)?;
        if self.root.apps.contains_key(&app.id) {
            return Err(Refused::Exists(app.id));
        }
        let id = app.id.clone();
        let deployed = self.put_all(vec![app], force, now)?;
        Ok((id, deployed))
    }

    /// Apps shall be so, whether they are there or not. A body without an id is about the app of `id`; one that says a version
    /// and nothing else is what the app was then. Returns whether all are new.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn put(
        &mut self,
        bodies: Vec<(Option<AppId>, Value)>,
        is_partial: bool,
        force: bool,
        now: Version,
    ) -> Result<(bool, Deployed), Refused> {
        let mut apps: Vec<App> = Vec::new();
        for (index, (id, body)) in bodies.into_iter().enumerate() {
            // Of several it is said which one is wrong.
            let place = if id.is_none() { format!("({index})") } else { String::new() };
            let app = self.wanted(id.as_ref(), body, is_partial).map_err(|refused| within(&place, refused))?;
            if apps.iter().any(|other| other.id == app.id) {
                return Err(invalid(format!("{place}/id"), format!("{} is named twice", app.id)));
            }
            apps.push(app);
        }
        let is_new = !apps.is_empty() && apps.iter().all(|app| !self.root.apps.contains_key(&app.id));
        Ok((is_new, self.put_all(apps, force, now)?))
    }

    fn wanted(&self, id: Option<&AppId>, body: Value, is_partial: bool) -> Result<App, Refused> {
        let named = body.get("id").and_then(Value::as_str).and_then(|id| id.parse::<AppId>().ok());
        let known = id.or(named.as_ref()).and_then(|id| self.root.apps.get(id));
        let Some(app) = known else { return Ok(read::app(body, &AppId::root(), id)?) };
        let only_version =
            body.as_object().filter(|fields| fields.keys().all(|name| name == "version" || name == "id"));
        let version = only_version.and_then(|fields| fields.get("version")).and_then(Value::as_str);
        match version {
            Some(version) => {
                let version = version.parse().map_err(|error| invalid("/version".to_owned(), error))?;
                let found = self.history.get(&app.id, version);
                found.map(|app| App::clone(app)).ok_or_else(|| Refused::NoVersion(app.id.clone(), version))
            }
            None if is_partial => Ok(read::update(app, body)?),
            None => Ok(read::app(body, &AppId::root(), Some(&app.id))?),
        }
    }

    fn put_all(&mut self, apps: Vec<App>, force: bool, now: Version) -> Result<Deployed, Refused> {
        let mut after = self.root.clone();
        after.apps.extend(apps.into_iter().map(|app| (app.id.clone(), Arc::new(app))));
        self.deploy(after, &BTreeSet::new(), force, &AppId::root(), now)
    }

    /// An app, or everything in a group, shall not run any more.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn remove_app(&mut self, id: &AppId, force: bool, now: Version) -> Result<Deployed, Refused> {
        let mut after = self.root.clone();
        after.apps.remove(id).ok_or_else(|| Refused::NoApp(id.clone()))?;
        self.deploy(after, &BTreeSet::new(), force, &AppId::root(), now)
    }

    /// The instances of an app shall be replaced, although it stays what it is.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn restart(&mut self, id: &AppId, force: bool, now: Version) -> Result<Deployed, Refused> {
        if !self.root.apps.contains_key(id) {
            return Err(Refused::NoApp(id.clone()));
        }
        self.deploy(self.root.clone(), &BTreeSet::from([id.clone()]), force, &AppId::root(), now)
    }

    /// A group shall be so: what it says of apps and of groups takes the place of those that are in it; if it says nothing of
    /// apps, or of groups, these stay.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn change_group(
        &mut self,
        body: Value,
        id: Option<&AppId>,
        is_new: bool,
        force: bool,
        now: Version,
    ) -> Result<(AppId, Deployed), Refused> {
        let root = AppId::root();
        let mut after = self.root.clone();
        let id = match read::group(body, &root, id)? {
            GroupChange::Put(group) => {
                if is_new && !group.id.is_root() && self.root.has_group(&group.id) {
                    return Err(Refused::GroupExists(group.id));
                }
                put_group(&mut after, &group, now);
                group.id
            }
            GroupChange::ScaleBy(factor) => {
                let id = self.there(id.unwrap_or(&root))?;
                for (app, known) in self.root.apps_in(&id) {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "held to the range of u32"
                    )]
                    let instances = (f64::from(known.instances) * factor).ceil().clamp(0.0, f64::from(u32::MAX)) as u32;
                    after.apps.insert(app.clone(), Arc::new(App { instances, ..App::clone(known) }));
                }
                id
            }
            GroupChange::RollBack(version) => {
                let id = self.there(id.unwrap_or(&root))?;
                let inside: Vec<AppId> = self.history.in_group(&id).map(|(app, _)| app.clone()).collect();
                if !self.group_versions(&id).contains(&version) {
                    return Err(Refused::NoVersion(id, version));
                }
                for app in inside {
                    match self.history.at(&app, version) {
                        Some(then) => drop(after.apps.insert(app, Arc::clone(then))),
                        None => drop(after.apps.remove(&app)),
                    }
                }
                id
            }
        };
        let deployed = self.deploy(after, &BTreeSet::new(), force, &id, now)?;
        Ok((id, deployed))
    }

    fn there(&self, group: &AppId) -> Result<AppId, Refused> {
        if self.root.has_group(group) { Ok(group.clone()) } else { Err(Refused::NoGroup(group.clone())) }
    }

    /// When anything in a group changed, the newest first.
    #[must_use]
    pub fn group_versions(&self, group: &AppId) -> Vec<Version> {
        let mut versions: BTreeSet<Version> = self.history.in_group(group).flat_map(|(_, versions)| versions).collect();
        versions.extend(self.root.groups.get(group).map(|info| info.version));
        versions.into_iter().rev().collect()
    }

    /// Nothing in a group shall run any more, and the group be gone.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn remove_group(&mut self, id: &AppId, force: bool, now: Version) -> Result<Deployed, Refused> {
        let id = self.there(id)?;
        let mut after = self.root.clone();
        after.apps.retain(|app, _| !app.is_within(&id) || *app == id);
        after.groups.retain(|group, _| !group.is_within(&id));
        self.deploy(after, &BTreeSet::new(), force, &id, now)
    }

    /// A deployment shall end: everything goes back to what it was, by another one; or stays as far as it is, if forced.
    ///
    /// # Errors
    /// [`Refused::NoDeployment`]
    pub fn end_deployment(&mut self, id: &str, force: bool, now: Version) -> Result<Option<Deployed>, Refused> {
        let found = self.deployments.get(id).cloned();
        let deployment = found.ok_or_else(|| Refused::NoDeployment(id.to_owned()))?;
        if force {
            self.cancel(id, now);
            return Ok(None);
        }
        let mut after = self.root.clone();
        for (app, change) in &deployment.apps {
            match change.from.and_then(|version| self.history.get(app, version)) {
                Some(before) => drop(after.apps.insert(app.clone(), Arc::clone(before))),
                None => drop(after.apps.remove(app)),
            }
        }
        self.deploy(after, &BTreeSet::new(), true, &AppId::root(), now).map(Some)
    }

    pub(super) fn cancel(&mut self, id: &str, now: Version) {
        if let Some(deployment) = self.remove_deployment(id) {
            self.tell(Told::DeploymentOver { deployment: &deployment, is_well: false }, now);
            self.dirty.extend(deployment.apps.into_keys());
        }
    }

    /// Tasks are ended, and started again if fewer than the app's instances are left; unless the app is to have fewer from now
    /// on. Those that are wiped give their disks back. Returns those that there are.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn kill_tasks(
        &mut self,
        tasks: &BTreeSet<String>,
        is_scaled: bool,
        is_wiped: bool,
        force: bool,
        now: Version,
    ) -> Result<(Vec<Instance>, Option<Deployed>), Refused> {
        let found = tasks
            .iter()
            .filter_map(|task| self.by_task.get(task).or_else(|| self.instances.get_key_value(task).map(|(id, _)| id)));
        let found: Vec<Instance> = found.filter_map(|id| self.instances.get(id)).cloned().collect();
        let mut deployed = None;
        if is_scaled {
            let mut after = self.root.clone();
            for instance in found.iter().filter(|instance| instance.killed_at.is_none()) {
                if let Some(app) = after.apps.get_mut(&instance.app) {
                    let instances = app.instances.saturating_sub(1);
                    *app = Arc::new(App { instances, ..App::clone(app) });
                }
            }
            deployed = Some(self.deploy(after, &BTreeSet::new(), force, &AppId::root(), now)?);
        }
        for instance in &found {
            if is_wiped {
                self.put_instance(Instance { is_wiped, ..instance.clone() });
            }
            self.kill(&instance.id, now);
            self.dirty.insert(instance.app.clone());
        }
        Ok((found, deployed))
    }
}

fn put_group(root: &mut Root, group: &Group, now: Version) {
    if !group.apps.is_empty() {
        root.apps.retain(|id, _| id.group().as_ref() != Some(&group.id));
        root.apps.extend(group.apps.iter().map(|app| (app.id.clone(), Arc::new(app.clone()))));
    }
    if !group.groups.is_empty() {
        let stays = |id: &AppId| !id.is_within(&group.id) || *id == group.id || id.group().as_ref() == Some(&group.id);
        let named = |id: &AppId| group.groups.iter().any(|inner| id.is_within(&inner.id));
        root.apps.retain(|id, _| stays(id) || named(id));
        root.groups.retain(|id, _| !id.is_within(&group.id) || *id == group.id || named(id));
    }
    let known = root.groups.get(&group.id).cloned();
    let dependencies = match &known {
        Some(known) if group.dependencies.is_empty() => known.dependencies.clone(),
        _ => group.dependencies.clone(),
    };
    if !group.id.is_root() || !dependencies.is_empty() {
        let info = match known.filter(|known| known.dependencies == dependencies) {
            Some(known) => known,
            None => Arc::new(GroupInfo { dependencies, version: now }),
        };
        root.groups.insert(group.id.clone(), info);
    }
    group.groups.iter().for_each(|inner| put_group(root, inner, now));
}
