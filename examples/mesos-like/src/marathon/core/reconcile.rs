//! What is done about each app: what runs is held against what shall run.

use super::rollout::{View, replace, scale, stop};
use super::tell::{News, Probe, Told};
use super::{Action, ActionKind, Aim, Instance, Marathon, Notice, Phase, Standing};
use crate::marathon::model::{App, AppId, Operator, Version};
use crate::wire::scheduler::{Call, CallType, Kill, Reconcile, ReconcileTask};
use crate::wire::{DurationInfo, KillPolicy};

impl Marathon {
    /// Looks again at the apps whose time has come.
    pub(super) fn wake(&mut self, now: Version) {
        while self.wakes.first().is_some_and(|(at, _)| *at <= now) {
            self.dirty.extend(self.wakes.pop_first().map(|(_, app)| app));
        }
    }

    /// Looks at every app about which something is new.
    pub(super) fn reconcile_all(&mut self, now: Version) {
        while let Some(app) = self.dirty.pop_first() {
            self.reconcile(&app, now);
        }
    }

    /// What is wanted of an app now.
    fn aim(&self, id: &AppId) -> Aim {
        let deployed = self.deployments.values().find_map(|deployment| deployment.aim(id));
        deployed.unwrap_or_else(|| Aim::Reached(self.root.apps.get(id).map(|app| app.version)))
    }

    fn reconcile(&mut self, id: &AppId, now: Version) {
        self.look_after(id, now);
        let aim = self.aim(id);
        let version = match aim {
            Aim::Hold(version) | Aim::Reached(version) => version,
            Aim::Replace(version) | Aim::Scale(version) => Some(version),
            Aim::Stop => None,
        };
        let app = version.and_then(|version| self.history.get(id, version)).cloned();
        let views = self.views(id, app.as_deref(), now);
        let wish = match (&app, aim) {
            (None, _) => stop(&views),
            (Some(app), Aim::Replace(_)) => replace(app, &views),
            (Some(app), _) => scale(app, &views),
        };
        for instance in &wish.kills {
            self.kill(instance, now);
        }
        // What is being replaced is started again where its disks are.
        if !matches!(aim, Aim::Replace(_)) {
            self.release_excess(id, app.as_deref(), wish.launch, now);
        }
        self.wait(id, app.map(|app| (app, wish.launch)), now);
        match wish.is_done && !matches!(aim, Aim::Hold(_)) {
            true => drop(self.settled.insert(id.clone())),
            false => drop(self.settled.remove(id)),
        }
        self.advance(id, now);
    }

    fn views(&self, id: &AppId, app: Option<&App>, now: Version) -> Vec<View> {
        let config = app.map(|app| app.version_info.last_config_change_at);
        let grouped = app.into_iter().flat_map(|app| &app.constraints);
        let field = grouped.into_iter().find(|constraint| constraint.operator == Operator::GroupBy).map(|c| &c.field);
        let view = |instance: &Instance| {
            let spec = self.spec_of(instance);
            View {
                id: instance.id.clone(),
                is_current: Some(instance.config) == config,
                serves: spec.is_some_and(|spec| instance.serves(spec)) && instance.killed_at.is_none(),
                is_ending: instance.killed_at.is_some(),
                comes_back: instance.killed_at.is_some() && instance.keeps_its_place() && !instance.is_wiped,
                is_lost: spec.and_then(|spec| instance.given_up_at(spec)).is_some_and(|(lost, _)| lost <= now),
                since: instance.staged_at,
                group: field.and_then(|field| instance.spot().value(field).map(|value| value.into_owned())),
            }
        };
        self.instances_of(id).filter(|instance| instance.has_task()).map(view).collect()
    }

    /// Ends an instance.
    pub(super) fn kill(&mut self, id: &str, now: Version) {
        let Some(instance) = self.instances.get(id).filter(|instance| instance.has_task()) else { return };
        let instance = match instance.killed_at {
            Some(_) => instance.clone(),
            None => Instance { killed_at: Some(now), ..instance.clone() },
        };
        let seconds = self.spec_of(&instance).map_or(3, |app| app.task_kill_grace_period_seconds);
        let nanoseconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
        let grace_period = Some(DurationInfo { nanoseconds });
        let kill = Kill {
            task_id: instance.task_id.as_str().into(),
            agent_id: Some(instance.agent_id.as_str().into()),
            kill_policy: Some(KillPolicy { grace_period }),
        };
        self.call(CallType::Kill, Call { kill: Some(kill), ..Call::default() });
        let again = now.after_millis(self.settings.ask_again).after(seconds);
        self.asked.insert(id.to_owned(), again);
        self.wakes.insert((again, instance.app.clone()));
        if self.instances.get(id) != Some(&instance) {
            // Whether it can be told is looked at next.
            self.dirty.insert(instance.app.clone());
            self.put_instance(instance);
        }
    }

    /// Looks after the instances of an app whose time has come: those that do not end, that do not start, that cannot be
    /// reached.
    fn look_after(&mut self, id: &AppId, now: Version) {
        let ids: Vec<String> = self.by_app.get(id).into_iter().flatten().cloned().collect();
        for id in ids {
            let Some(instance) = self.instances.get(&id).filter(|instance| instance.has_task()) else { continue };
            let given_up = self.spec_of(instance).and_then(|spec| instance.given_up_at(spec));
            if let Some((lost, expunged)) = given_up {
                if expunged <= now {
                    self.expunge(&id, now);
                    continue;
                }
                let at = if lost > now { lost } else { expunged };
                self.wakes.insert((at, self.instances[&id].app.clone()));
            }
            let instance = &self.instances[&id];
            let is_due = self.asked.get(&id).is_none_or(|at| *at <= now);
            if self.cannot_be_told(instance) {
                self.expunge(&id, now);
            } else if instance.killed_at.is_some() {
                if is_due && self.standing.is_connected {
                    self.kill(&id, now);
                }
            } else if instance.phase != Phase::Running {
                let (app, staged) = (instance.app.clone(), instance.staged_at);
                if staged.after_millis(self.settings.launch_timeout) <= now {
                    tracing::warn!(instance = id, "an instance does not start, and is given up");
                    self.kill(&id, now);
                } else {
                    let again = now.after_millis(self.settings.ask_again);
                    if is_due && self.asked.insert(id.clone(), again).is_some() {
                        self.quiet.push(id);
                    }
                    self.wakes.insert((again, app));
                }
            } else if !instance.ready {
                self.probe(&id, now);
            }
        }
    }

    /// Whether an instance is to end, and cannot be told so: nobody waits for it, unless for its disks.
    fn cannot_be_told(&self, instance: &Instance) -> bool {
        let waits = self.spec_of(instance).is_some_and(|spec| spec.is_resident());
        instance.killed_at.is_some() && instance.unreachable_since.is_some() && !waits
    }

    /// An instance that cannot be reached, for too long or when it is to end, is given up. Should its task come back, it is
    /// ended.
    fn expunge(&mut self, id: &str, now: Version) {
        self.kill(id, now);
        if let Some(instance) = self.remove_instance(id) {
            self.asked.remove(id);
            self.tell(Told::Of(&instance, News::Condition("UnreachableInactive")), now);
        }
    }

    /// Asks an instance whether it is ready, if it is time to.
    fn probe(&mut self, id: &str, now: Version) {
        let instance = &self.instances[id];
        let Some(spec) = self.spec_of(instance) else { return };
        let Some(check) = spec.readiness_checks.first() else { return };
        let again = now.after(check.interval_seconds.max(1));
        if self.asked.get(id).is_some_and(|at| *at > now) {
            return;
        }
        let probe = Probe::of(instance, spec, check);
        let app = instance.app.clone();
        self.asked.insert(id.to_owned(), again);
        self.wakes.insert((again, app));
        self.out.notices.extend(probe.map(Notice::Probe));
    }

    /// An instance has answered whether it is ready.
    pub fn answered(&mut self, id: &str, is_ready: bool) {
        let Some(instance) = self.instances.get(id).filter(|instance| is_ready && !instance.ready) else { return };
        let instance = Instance { ready: true, ..instance.clone() };
        self.dirty.insert(instance.app.clone());
        self.put_instance(instance);
    }

    /// An app is as far as this: its deployment may be further now.
    fn advance(&mut self, id: &AppId, now: Version) {
        let found = self.deployments.values().find(|deployment| deployment.apps.contains_key(id));
        let Some(mut deployment) = found.cloned() else { return };
        let began = deployment.current;
        while !deployment.is_over() {
            let is_done =
                |action: &Action| action.action == ActionKind::StartApplication || self.settled.contains(&action.app);
            if !deployment.actions().iter().all(is_done) {
                break;
            }
            self.tell(Told::StepDone(&deployment), now);
            deployment.current += 1;
            for action in deployment.actions() {
                self.settled.remove(&action.app);
                self.dirty.insert(action.app.clone());
            }
        }
        if deployment.current == began {
            return;
        }
        if deployment.is_over() {
            self.remove_deployment(&deployment.id);
            self.tell(Told::DeploymentOver { deployment: &deployment, is_well: true }, now);
            for (app, change) in &deployment.apps {
                if change.to.is_none() {
                    self.tell(Told::AppEnded(app), now);
                }
                self.dirty.insert(app.clone());
            }
        } else {
            self.tell(Told::Deploying(&deployment), now);
            self.put_deployment(deployment);
        }
    }

    /// Asks how tasks are of which nothing was heard for a while, and now and then how all are.
    pub(super) fn ask_after_tasks(&mut self, now: Version) {
        let Standing { reconciled_at, reconciles_after, .. } = self.standing;
        if reconciled_at.after_millis(reconciles_after) <= now {
            let reconciles_after = reconciles_after.saturating_mul(2).min(self.settings.reconciliation_interval);
            self.standing = Standing { reconciled_at: now, reconciles_after, ..self.standing };
            self.reconcile_tasks();
            return;
        }
        let quiet = std::mem::take(&mut self.quiet);
        let tasks: Vec<ReconcileTask> =
            quiet.iter().filter_map(|id| self.instances.get(id)).map(reconcile_task).collect();
        if !tasks.is_empty() {
            self.call(CallType::Reconcile, Call { reconcile: Some(Reconcile { tasks }), ..Call::default() });
        }
    }

    /// Asks how all tasks are that are known, and which others there are.
    pub(super) fn reconcile_tasks(&mut self) {
        let with_task = self.instances.values().filter(|instance| instance.has_task());
        let tasks: Vec<ReconcileTask> = with_task.map(reconcile_task).collect();
        if !tasks.is_empty() {
            self.call(CallType::Reconcile, Call { reconcile: Some(Reconcile { tasks }), ..Call::default() });
        }
        self.call(CallType::Reconcile, Call { reconcile: Some(Reconcile::default()), ..Call::default() });
    }
}

fn reconcile_task(instance: &Instance) -> ReconcileTask {
    ReconcileTask { task_id: instance.task_id.as_str().into(), agent_id: Some(instance.agent_id.as_str().into()) }
}
