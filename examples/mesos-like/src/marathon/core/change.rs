//! What people ask for: apps and groups that shall be so, and deployments that shall end.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::refused::{invalid, within, wrong_circle};
use super::tell::Told;
use super::{Deployment, GroupInfo, Instance, Marathon, Refused, Root};
use crate::marathon::model::read::{self, Group, GroupChange};
use crate::marathon::model::{App, AppId, Version, VersionInfo};

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

    fn cancel(&mut self, id: &str, now: Version) {
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

    /// Everything shall be so. Apps in `restarted` are replaced although they stay what they are.
    fn deploy(
        &mut self,
        mut after: Root,
        restarted: &BTreeSet<AppId>,
        force: bool,
        group: &AppId,
        now: Version,
    ) -> Result<Deployed, Refused> {
        let version = now.max(self.last_version.after_millis(1));
        self.keep_service_ports(&mut after);
        let changed = self.changed(&after, restarted);
        check(&after, &changed)?;
        self.check_residency(&after, &changed)?;
        let locks: Vec<String> = self
            .deployments
            .values()
            .filter(|deployment| changed.iter().any(|app| deployment.apps.contains_key(app)))
            .map(|deployment| deployment.id.clone())
            .collect();
        if !locks.is_empty() && !force {
            return Err(Refused::Locked(locks));
        }
        for id in &changed {
            if let Some(app) = after.apps.get(id).cloned() {
                let app = self.settled_app(App::clone(&app), &after, restarted.contains(id), version)?;
                after.apps.insert(id.clone(), Arc::new(app));
            }
        }
        let replaced = changed.iter().filter(|id| self.is_replaced(id, &after)).cloned().collect();
        let planned = Deployment::plan(self.unique(), version, &self.root, &after, &changed, &replaced);
        let deployment = planned.map_err(|circle| wrong_circle(&circle))?;
        self.last_version = version;
        locks.iter().for_each(|id| self.cancel(id, now));
        self.become_root(after, &changed, version);
        let deployed = Deployed { version, id: deployment.id.clone() };
        self.tell(Told::GroupChanged { group, version }, now);
        self.dirty.extend(changed);
        if deployment.is_over() {
            self.tell(Told::DeploymentOver { deployment: &deployment, is_well: true }, now);
        } else {
            self.tell(Told::Deploying(&deployment), now);
            self.put_deployment(deployment);
        }
        Ok(deployed)
    }

    /// Disks that outlive tasks are reserved for a role: the one of everybody is none.
    fn check_residency(&self, after: &Root, changed: &BTreeSet<AppId>) -> Result<(), Refused> {
        let is_refused = |id: &&AppId| after.apps.get(*id).is_some_and(|app| app.is_resident());
        if self.settings.role != "*" || !changed.iter().any(|id| is_refused(&id)) {
            return Ok(());
        }
        let error = "persistent volumes are reserved for a role: start Marathon with --mesos_role".to_owned();
        Err(invalid("/container/volumes".to_owned(), error))
    }

    fn changed(&self, after: &Root, restarted: &BTreeSet<AppId>) -> BTreeSet<AppId> {
        let ids = self.root.apps.keys().chain(after.apps.keys());
        let differs = |id: &&AppId| match (self.root.apps.get(*id), after.apps.get(*id)) {
            (Some(before), Some(after)) => {
                !Arc::ptr_eq(before, after) && (before.instances != after.instances || !before.runs_the_same_as(after))
                    || restarted.contains(*id)
            }
            _ => true,
        };
        ids.filter(differs).cloned().collect()
    }

    /// An app with what Marathon decides about it: versions, and ports for whoever balances load.
    fn settled_app(&self, mut app: App, after: &Root, is_restarted: bool, version: Version) -> Result<App, Refused> {
        let before = self.root.apps.get(&app.id);
        self.choose_service_ports(&mut app, after)?;
        app.version = version;
        app.version_info = match before.filter(|before| before.runs_the_same_as(&app) && !is_restarted) {
            Some(before) => VersionInfo { last_scaling_at: version, ..before.version_info },
            None => {
                // Instances that run the same already need not be replaced, whatever it was in between.
                let alike = self.instances_of(&app.id).filter(|instance| instance.killed_at.is_none());
                let alike =
                    alike.filter_map(|instance| self.spec_of(instance)).find(|spec| spec.runs_the_same_as(&app));
                let config =
                    alike.filter(|_| !is_restarted).map_or(version, |spec| spec.version_info.last_config_change_at);
                VersionInfo { last_scaling_at: version, last_config_change_at: config }
            }
        };
        Ok(app)
    }

    /// Whether instances of an app run that are not what it shall be.
    fn is_replaced(&self, id: &AppId, after: &Root) -> bool {
        let config = after.apps.get(id).map(|app| app.version_info.last_config_change_at);
        let before = self.root.apps.get(id).map(|app| app.version_info.last_config_change_at);
        before.is_some() && (before != config || self.instances_of(id).any(|instance| Some(instance.config) != config))
    }

    /// Ports that were chosen before stay, where nothing else is said.
    fn keep_service_ports(&self, after: &mut Root) {
        for (id, app) in &mut after.apps {
            let Some(before) = self.root.apps.get(id).filter(|before| !Arc::ptr_eq(before, app)) else { continue };
            if before.is_in_host_network() == app.is_in_host_network() && app.service_ports().contains(&0) {
                let mut kept = App::clone(app);
                for (port, before) in
                    kept.service_ports_mut().zip(before.service_ports()).filter(|(port, _)| **port == 0)
                {
                    *port = before;
                }
                *app = Arc::new(kept);
            }
        }
    }

    fn choose_service_ports(&self, app: &mut App, after: &Root) -> Result<(), Refused> {
        // What is required on the agent is not chosen for whoever balances load.
        if app.require_ports && app.is_in_host_network() || !app.service_ports().contains(&0) {
            return Ok(());
        }
        let others = after.apps.values().chain(self.root.apps.values()).filter(|other| other.id != app.id);
        let mut taken: BTreeSet<u16> = others.flat_map(|other| other.service_ports()).collect();
        taken.extend(app.service_ports());
        let range = self.settings.service_ports.clone();
        let mut free = range.clone().filter(|port| !taken.contains(port));
        for port in app.service_ports_mut().filter(|port| **port == 0) {
            let Some(chosen) = free.next() else {
                let all = format!("all service ports from {} to {} are taken", range.start(), range.end());
                return Err(invalid("/portDefinitions".to_owned(), all));
            };
            *port = chosen;
        }
        Ok(())
    }

    fn become_root(&mut self, after: Root, changed: &BTreeSet<AppId>, version: Version) {
        for id in changed {
            self.record_app(id, version, after.apps.get(id).cloned());
            let needed = self.needed_versions(id, &after);
            for gone in self.history.trim(id, self.settings.most_versions, &needed) {
                self.forget_spec(id, gone);
            }
            if !after.apps.contains_key(id) {
                self.record_failure(id, None);
                self.delays.reset(id);
            }
        }
        let gone: Vec<AppId> = self.root.groups.keys().filter(|id| !after.groups.contains_key(*id)).cloned().collect();
        gone.iter().for_each(|id| self.record_group(id, None));
        for (id, info) in &after.groups {
            if self.root.groups.get(id) != Some(info) {
                self.record_group(id, Some(info));
            }
        }
        self.root = after;
        let by_app = &self.by_app;
        for (id, version) in self.history.forget(|id| by_app.contains_key(id)) {
            self.forget_spec(&id, version);
        }
    }

    fn needed_versions(&self, id: &AppId, after: &Root) -> BTreeSet<Version> {
        let deployed = self.deployments.values().filter_map(|deployment| deployment.apps.get(id));
        let deployed = deployed.flat_map(|change| [change.from, change.to]).flatten();
        let running = self.instances_of(id).map(|instance| instance.version);
        let roots = [&self.root, after].into_iter().filter_map(|root| root.apps.get(id)).map(|app| app.version);
        deployed.chain(running).chain(roots).collect()
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

/// What no app says alone: ids that are those of groups too, and apps that wait for each other.
fn check(after: &Root, changed: &BTreeSet<AppId>) -> Result<(), Refused> {
    for id in changed.iter().filter(|id| after.apps.contains_key(*id)) {
        let above = std::iter::successors(id.group(), AppId::group);
        let taken = above.into_iter().find(|group| after.apps.contains_key(group));
        let conflict = match taken {
            Some(app) => Some(format!("{app} is an app: nothing can be in it")),
            None => after.apps_in(id).next().map(|(inner, _)| format!("{id} is a group, with {inner} in it")),
        };
        if let Some(error) = conflict {
            return Err(invalid("/id".to_owned(), error));
        }
    }
    after.layers(&BTreeSet::new()).map(drop).map_err(|circle| wrong_circle(&circle))
}
