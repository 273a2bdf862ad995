//! How what people ask for becomes what shall be: versions, locks, a deployment.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::refused::{invalid, wrong_circle};
use super::tell::Told;
use super::{Deployed, Deployment, Marathon, Refused, Root};
use crate::marathon::model::{App, AppId, Version, VersionInfo};

impl Marathon {
    /// Everything shall be so. Apps in `restarted` are replaced although they stay what they are.
    pub(super) fn deploy(
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
        self.choose_service_ports(&mut after, &changed)?;
        for id in &changed {
            if let Some(app) = after.apps.get_mut(id) {
                let app = Arc::make_mut(app);
                app.version = version;
                app.version_info = self.version_info(app, restarted.contains(id), version);
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

    /// The apps that are in one of the roots only, differ, or are restarted. Most apps are the same in both, and are passed by.
    fn changed(&self, after: &Root, restarted: &BTreeSet<AppId>) -> BTreeSet<AppId> {
        let differs =
            |before: &App, after: &App| before.instances != after.instances || !before.runs_the_same_as(after);
        let mut changed: BTreeSet<AppId> =
            restarted.iter().filter(|id| after.apps.contains_key(*id)).cloned().collect();
        let (mut before, mut after) = (self.root.apps.iter().peekable(), after.apps.iter().peekable());
        loop {
            match (before.peek(), after.peek()) {
                (Some((id, was)), Some((other, is))) if id == other => {
                    if !Arc::ptr_eq(was, is) && differs(was, is) {
                        changed.insert((*id).clone());
                    }
                    before.next();
                    after.next();
                }
                (Some((id, _)), Some((other, _))) if id > other => {
                    changed.extend(after.next().map(|(id, _)| id.clone()))
                }
                (Some(_), _) => changed.extend(before.next().map(|(id, _)| id.clone())),
                (None, Some(_)) => changed.extend(after.next().map(|(id, _)| id.clone())),
                (None, None) => return changed,
            }
        }
    }

    /// When an app was last scaled, and last changed otherwise, if it is so from this version on.
    fn version_info(&self, app: &App, is_restarted: bool, version: Version) -> VersionInfo {
        let before = self.root.apps.get(&app.id).filter(|before| !is_restarted && before.runs_the_same_as(app));
        if let Some(before) = before {
            return VersionInfo { last_scaling_at: version, ..before.version_info };
        }
        // Instances that run the same already need not be replaced, whatever it was in between.
        let staying = self.instances_of(&app.id).filter(|instance| !is_restarted && instance.killed_at.is_none());
        let alike = staying.filter_map(|instance| self.spec_of(instance)).find(|spec| spec.runs_the_same_as(app));
        let config = alike.map_or(version, |spec| spec.version_info.last_config_change_at);
        VersionInfo { last_scaling_at: version, last_config_change_at: config }
    }

    /// Whether instances of an app run that are not what it shall be.
    fn is_replaced(&self, id: &AppId, after: &Root) -> bool {
        let config = after.apps.get(id).map(|app| app.version_info.last_config_change_at);
        let before = self.root.apps.get(id).map(|app| app.version_info.last_config_change_at);
        before.is_some() && (before != config || self.instances_of(id).any(|instance| Some(instance.config) != config))
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

#[cfg(test)]
mod tests {
    use orch_core::entropy::SeededEntropy;
    use serde_json::json;

    use super::*;
    use crate::marathon::core::tests::settings;

    #[test]
    fn what_changed_is_found_wherever_it_stands() {
        let id = |text: &str| text.parse::<AppId>().expect("an id");
        let app = |name: &str, cmd: &str| {
            let app = json!({ "id": name, "cmd": cmd });
            (id(name), Arc::new(serde_json::from_value::<App>(app).expect("an app")))
        };
        let mut marathon = Marathon::new(settings(), SeededEntropy::new(1));
        marathon.root.apps = ["/a", "/c", "/e", "/g", "/z"].map(|name| app(name, "x")).into();
        let mut after = marathon.root.clone();
        after.apps.extend([app("/b", "x"), app("/c", "y"), app("/zz", "x"), app("/g", "x")]);
        after.apps.remove(&id("/e"));
        let changed = marathon.changed(&after, &BTreeSet::from([id("/a"), id("/none")]));
        let names: Vec<&str> = changed.iter().map(AppId::as_str).collect();
        assert_eq!(names, ["/a", "/b", "/c", "/e", "/zz"]);
        assert!(marathon.changed(&marathon.root, &BTreeSet::new()).is_empty());
    }
}
