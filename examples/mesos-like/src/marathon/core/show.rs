//! What people see: apps, groups, tasks, deployments, and what waits.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::tell::addresses;
use super::{Deployment, Instance, Marathon, Phase, Waiting};
use crate::marathon::model::{App, AppId, Selector, Version, write};

/// Which apps are shown.
#[derive(Clone, Debug, Default)]
pub struct AppQuery {
    /// Only those whose command has this in it.
    pub cmd: Option<String>,
    /// Only those whose id has this in it.
    pub id: Option<String>,
    /// Only those with such labels.
    pub labels: Vec<Selector>,
}

/// What is shown with each app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Embed {
    /// Its tasks.
    pub tasks: bool,
    /// How it failed last.
    pub last_failure: bool,
    /// How its tasks are, in figures.
    pub task_stats: bool,
    /// Which instances said that they are ready.
    pub readiness: bool,
}

/// Why offers are of no use, in the order in which it is looked.
const REASONS: [&str; 8] = [
    "UnfulfilledRole",
    "UnfulfilledConstraint",
    "InsufficientCpus",
    "InsufficientMemory",
    "InsufficientDisk",
    "InsufficientGpus",
    "InsufficientPorts",
    "AgentMaintenance",
];

impl AppQuery {
    fn shows(&self, app: &App) -> bool {
        let has = |part: &Option<String>, text: &str| part.as_ref().is_none_or(|part| text.contains(part.as_str()));
        has(&self.cmd, app.cmd.as_deref().unwrap_or_default())
            && has(&self.id, app.id.as_str())
            && self.labels.iter().all(|selector| selector.selects(&app.labels))
    }
}

impl Marathon {
    /// Some of the apps.
    #[must_use]
    pub fn apps_json(&self, query: &AppQuery, embed: Embed, now: Version) -> Vec<Value> {
        let shown = self.root.apps.values().filter(|app| query.shows(app));
        shown.map(|app| self.app_json(app, embed, now)).collect()
    }

    /// An app, with how its tasks are.
    #[must_use]
    pub fn app_json(&self, app: &App, embed: Embed, now: Version) -> Value {
        let mut json = write::json(app);
        let counts = self.counts(self.instances_of(&app.id));
        for (name, count) in
            [("Staged", counts[0]), ("Running", counts[1]), ("Healthy", counts[2]), ("Unhealthy", counts[3])]
        {
            json[format!("tasks{name}")] = count.into();
        }
        let deployments = self.deployments.values().filter(|deployment| deployment.apps.contains_key(&app.id));
        json["deployments"] = deployments.map(|deployment| json!({ "id": deployment.id })).collect();
        if embed.tasks {
            let with_task = self.instances_of(&app.id).filter(|instance| instance.has_task());
            json["tasks"] = with_task.map(|instance| self.task_json(instance)).collect();
        }
        if embed.last_failure
            && let Some(failure) = self.failures.get(&app.id)
        {
            json["lastTaskFailure"] = json!(failure);
            json["lastTaskFailure"]["appId"] = json!(app.id);
        }
        if embed.task_stats {
            json["taskStats"] = self.task_stats(app, now);
        }
        if embed.readiness {
            json["readinessCheckResults"] = self.readiness(&app.id);
        }
        json
    }

    fn readiness(&self, id: &AppId) -> Value {
        let one = |instance: &Instance| {
            let check = self.spec_of(instance)?.readiness_checks.first()?;
            Some(json!({ "name": check.name, "taskId": instance.task_id, "ready": instance.ready }))
        };
        self.instances_of(id).filter_map(one).collect()
    }

    /// How many instances are staged, run, work, and do not work.
    fn counts<'a>(&self, instances: impl Iterator<Item = &'a Instance>) -> [usize; 4] {
        let mut counts = [0; 4];
        for instance in instances {
            match instance.phase {
                _ if instance.unreachable_since.is_some() => {}
                Phase::Running => counts[1] += 1,
                Phase::Staging | Phase::Starting => counts[0] += 1,
                Phase::Reserved | Phase::Released => {}
            }
            if instance.phase == Phase::Running && instance.unreachable_since.is_none() {
                counts[2] += usize::from(instance.healthy == Some(true));
                counts[3] += usize::from(instance.healthy == Some(false));
            }
        }
        counts
    }

    fn task_stats(&self, app: &App, now: Version) -> Value {
        let config = app.version_info.last_config_change_at;
        let stats = |is: &dyn Fn(&&Instance) -> bool| -> Option<Value> {
            let some: Vec<&Instance> = self.instances_of(&app.id).filter(is).collect();
            let [staged, running, healthy, unhealthy] = self.counts(some.iter().copied());
            let started = some.iter().filter_map(|instance| instance.started_at);
            let mut ages: Vec<f64> = started.map(|at| seconds(now.0 - at.0)).collect();
            ages.sort_by(f64::total_cmp);
            let mut stats = json!({
                "counts": { "staged": staged, "running": running, "healthy": healthy, "unhealthy": unhealthy },
            });
            if let Some(median) = ages.get(ages.len() / 2) {
                #[expect(clippy::cast_precision_loss, reason = "there are not so many tasks")]
                let average = ages.iter().sum::<f64>() / ages.len() as f64;
                stats["lifeTime"] = json!({ "averageSeconds": average, "medianSeconds": median });
            }
            (!some.is_empty()).then(|| json!({ "stats": stats }))
        };
        let scaled = app.version_info.last_scaling_at;
        let all = [
            ("startedAfterLastScaling", stats(&|instance| instance.staged_at >= scaled)),
            ("withLatestConfig", stats(&|instance| instance.config == config)),
            ("withOutdatedConfig", stats(&|instance| instance.config != config)),
            ("totalSummary", stats(&|_| true)),
        ];
        let shown = all.into_iter().filter_map(|(name, stats)| Some((name.to_owned(), stats?)));
        Value::Object(shown.collect::<Map<_, _>>())
    }

    /// A task.
    #[must_use]
    pub fn task_json(&self, instance: &Instance) -> Value {
        let spec = self.spec_of(instance);
        let results = match instance.healthy {
            Some(alive) if spec.is_some_and(|spec| !spec.health_checks.is_empty()) => json!([{
                "alive": alive, "consecutiveFailures": u8::from(!alive), "firstSuccess": null, "lastFailure": null,
                "lastSuccess": null, "lastFailureCause": null, "instanceId": instance.id,
            }]),
            _ => json!([]),
        };
        json!({
            "appId": instance.app,
            "healthCheckResults": results,
            "host": instance.host,
            "id": instance.task_id,
            "ipAddresses": addresses(instance),
            "localVolumes": instance.volumes,
            "ports": instance.ports,
            "region": instance.region,
            "role": instance.role,
            "servicePorts": spec.map(|spec| spec.service_ports()).unwrap_or_default(),
            "slaveId": instance.agent_id,
            "stagedAt": instance.staged_at,
            "startedAt": instance.started_at,
            "state": instance.task_state(),
            "version": instance.version,
            "zone": instance.zone,
        })
    }

    /// A group with all that is in it.
    #[must_use]
    pub fn group_json(&self, id: &AppId, now: Version) -> Value {
        let apps = self.root.apps_in(id).filter(|(app, _)| app.group().as_ref() == Some(id));
        let apps: Vec<Value> = apps.map(|(_, app)| self.app_json(app, Embed::default(), now)).collect();
        let groups: Vec<Value> = self.root.groups_in(id).iter().map(|group| self.group_json(group, now)).collect();
        let dependencies = self.root.groups.get(id).map(|info| info.dependencies.clone()).unwrap_or_default();
        json!({
            "id": id, "apps": apps, "groups": groups, "pods": [], "dependencies": dependencies,
            "version": self.root.version_of(id),
        })
    }

    /// A group as it was at a version of its own.
    #[must_use]
    pub fn group_at(&self, id: &AppId, version: Version) -> Option<Value> {
        if !self.group_versions(id).contains(&version) {
            return None;
        }
        let inside = self.history.in_group(id).filter_map(|(app, _)| self.history.at(app, version));
        let apps: Vec<Value> = inside.map(|app| write::json(app)).collect();
        Some(json!({ "id": id, "apps": apps, "groups": [], "pods": [], "dependencies": [], "version": version }))
    }

    /// The deployments that are not over.
    #[must_use]
    pub fn deployments_json(&self) -> Vec<Value> {
        self.deployments.values().map(|deployment| self.deployment_json(deployment)).collect()
    }

    fn deployment_json(&self, deployment: &Deployment) -> Value {
        let current = deployment.actions().iter().map(|action| {
            json!({
                "action": action.action, "app": action.app, "readinessCheckResults": self.readiness(&action.app),
            })
        });
        json!({
            "id": deployment.id,
            "version": deployment.version,
            "affectedApps": deployment.apps.keys().collect::<Vec<_>>(),
            "affectedPods": [],
            "steps": deployment.steps,
            "currentActions": current.collect::<Vec<_>>(),
            "currentStep": deployment.current + 1,
            "totalSteps": deployment.steps.len(),
        })
    }

    /// What waits, and why. The offers that were of no use are shown if asked for.
    #[must_use]
    pub fn queue_json(&self, with_offers: bool, now: Version) -> Vec<Value> {
        self.queue.values().map(|waiting| self.waiting_json(waiting, with_offers, now)).collect()
    }

    fn waiting_json(&self, waiting: &Waiting, with_offers: bool, now: Version) -> Value {
        let until = self.put_off(waiting);
        let left = until.map_or(0, |until| (until.0 - now.0).max(0));
        let mut json = json!({
            "app": self.app_json(&waiting.app, Embed::default(), now),
            "count": waiting.count,
            "delay": { "overdue": left == 0, "timeLeftSeconds": left.saturating_add(999) / 1_000 },
            "since": waiting.since,
            "processedOffersSummary": {
                "processedOffersCount": waiting.processed,
                "unusedOffersCount": waiting.unused,
                "lastUnusedOfferAt": waiting.last_unused_at,
                "lastUsedOfferAt": waiting.last_used_at,
                "rejectSummaryLastOffers": rejected(&waiting.reasons(), waiting.last.len()),
                "rejectSummaryLaunchAttempt": rejected(&waiting.all, waiting.processed),
            },
        });
        if with_offers {
            let offers = waiting.last_offers.iter().map(|(at, offer)| {
                json!({
                    "offer": { "id": offer.id.value, "hostname": offer.hostname, "agentId": offer.agent_id.value },
                    "timestamp": at,
                    "reason": waiting.last.get(&offer.agent_id.value).into_iter().collect::<Vec<_>>(),
                })
            });
            json["lastUnusedOffers"] = offers.collect();
        }
        json
    }
}

/// For each reason how many offers were refused for it, of those that no earlier reason refused.
fn rejected(why: &BTreeMap<&'static str, usize>, mut looked: usize) -> Vec<Value> {
    let mut all = Vec::new();
    for reason in REASONS {
        let declined = why.get(reason).copied().unwrap_or_default();
        all.push(json!({ "reason": reason, "declined": declined, "processed": looked }));
        looked = looked.saturating_sub(declined);
    }
    all
}

#[expect(clippy::cast_precision_loss, reason = "a time in milliseconds")]
fn seconds(millis: i64) -> f64 {
    millis.max(0) as f64 / 1_000.0
}
