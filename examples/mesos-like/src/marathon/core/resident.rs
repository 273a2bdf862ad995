//! Instances with disks that outlive their tasks: they keep their place when they end, and are started again there.

use super::{Instance, Marathon, Phase};
use crate::marathon::launch::{Disks, Supply};
use crate::marathon::model::{App, AppId, TaskLost, Version};
use crate::wire::scheduler::Operation;

impl Marathon {
    /// The task of an instance has ended, which has disks: it keeps them, unless they are to be given back.
    pub(super) fn rest(&mut self, instance: Instance, now: Version) {
        let phase = if instance.is_wiped { Phase::Released } else { Phase::Reserved };
        self.by_task.remove(&instance.task_id);
        self.put_instance(Instance {
            phase,
            started_at: None,
            healthy: None,
            killed_at: None,
            unreachable_since: None,
            rests_since: Some(now),
            ..instance
        });
    }

    /// Of an app with disks that outlive tasks, more instances may rest than will be started again: the others give their disks
    /// back. So do those whose agent does not come back, if their app does not wait for it.
    pub(super) fn release_excess(&mut self, id: &AppId, app: Option<&App>, wanted: u32, now: Version) {
        let resting: Vec<Instance> =
            self.instances_of(id).filter(|instance| instance.phase == Phase::Reserved).cloned().collect();
        let waits_until = |instance: &Instance| {
            let residency =
                app?.residency.filter(|residency| residency.task_lost_behavior == TaskLost::RelaunchAfterTimeout)?;
            Some(instance.rests_since?.after(residency.relaunch_escalation_timeout_seconds))
        };
        let mut kept = 0;
        for instance in resting {
            let is_late = waits_until(&instance).is_some_and(|until| until <= now);
            if kept < wanted && !is_late {
                kept += 1;
                if let Some(until) = waits_until(&instance) {
                    self.wakes.insert((until, id.clone()));
                }
            } else {
                self.put_instance(Instance { phase: Phase::Released, ..instance });
            }
        }
    }

    /// The instances of an app that are to be started again where their disks are.
    pub(super) fn resting(&self, id: &AppId) -> Vec<Instance> {
        self.instances_of(id).filter(|instance| instance.phase == Phase::Reserved).cloned().collect()
    }

    /// What gives back the disks on an offer that nobody wants any more. What was given back is not offered again: then it is
    /// forgotten.
    pub(super) fn release(&mut self, supply: &mut Supply) -> Vec<Operation> {
        let agent = &supply.offer.agent_id.value;
        let is_here = |id: &&String| self.instances.get(*id).is_some_and(|instance| instance.agent_id == *agent);
        let here: Vec<String> = self.released.iter().filter(is_here).cloned().collect();
        let mut operations = Vec::new();
        for id in here {
            let resources = supply.take_reserved(&id);
            match resources.is_empty() {
                true => drop(self.remove_instance(&id)),
                false => operations.extend(Disks::given_back(resources)),
            }
        }
        operations
    }
}
