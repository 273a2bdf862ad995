//! How frameworks come, and come back.

use std::collections::BTreeSet;

use orch_core::allocator::{
    AllocatorChange, Capabilities, Framework as Subscriber, FrameworkId, Quantities, Role, Scalar, Subscription,
};

use super::{Framework, Master, Notice, Output, event};
use crate::master::registry::{FrameworkRecord, RegistryChange};
use crate::wire::scheduler::{Error, EventType, Subscribe, Subscribed};
use crate::wire::{AgentEvent, AgentEventType, CapabilityType, FrameworkInfo};

impl Master {
    /// A framework subscribes, and reads this stream from now on. If it may not, the stream says why and is closed.
    pub fn subscribe(&mut self, subscribe: Subscribe, stream: &str) {
        let Subscribe { framework_info, suppressed_roles } = subscribe;
        if let Err(message) = self.take_in(framework_info, &suppressed_roles, stream) {
            let error = event_error(message);
            self.say(Output::ToFramework(stream.to_owned(), Box::new(error)));
            self.say(Output::Close(stream.to_owned()));
        }
    }

    fn take_in(&mut self, mut info: FrameworkInfo, suppressed: &[String], stream: &str) -> Result<(), String> {
        let roles = self.roles(&info)?;
        let suppressed = suppressed_roles(suppressed, &roles)?;
        let id = match &info.id {
            Some(id) if !id.value.is_empty() => id.value.clone(),
            _ => {
                self.next_framework += 1;
                self.id(&format!("{:04}", self.next_framework - 1))
            }
        };
        if self.state.completed_ids.contains_key(&id) {
            return Err("Framework has been removed".to_owned());
        }
        info.id = Some(id.as_str().into());
        if let Some(former) = self.state.frameworks.get(&id) {
            unchangeable(&former.info, &info, former.registered.is_some())?;
        }
        self.part_with_former(&id);
        let now = self.now;
        let framework = self.state.frameworks.entry(id.clone());
        let framework = framework.or_insert_with(|| Framework::of(info.clone(), BTreeSet::new(), BTreeSet::new()));
        let is_new = framework.registered.is_none();
        (framework.info, framework.roles, framework.suppressed) = (info, roles, suppressed);
        match framework.registered {
            Some(_) => framework.reregistered = Some(now),
            None => framework.registered = Some(now),
        }
        (framework.expires, framework.unregistered) = (None, None);
        framework.stream = Some(stream.to_owned());
        self.put_framework(&id);
        self.record_framework(&id);
        let subscribed = Subscribed {
            framework_id: id.as_str().into(),
            heartbeat_interval_seconds: Some(self.settings.heartbeat.as_secs_f64()),
            master_info: Some(self.state.master.clone()),
        };
        let mut said = event(EventType::Subscribed);
        said.subscribed = Some(subscribed);
        self.tell(&id, said);
        self.tell(&id, event(EventType::Heartbeat));
        self.tell_agents_of(&id);
        self.say(Output::Notice(match is_new {
            true => Notice::FrameworkAdded(id),
            false => Notice::FrameworkUpdated(id),
        }));
        self.allocate();
        Ok(())
    }

    /// Whoever was subscribed under this id is told that another one is now, and what it was offered is nobody's.
    fn part_with_former(&mut self, id: &str) {
        let Some(former) = self.state.frameworks.get_mut(id) else { return };
        let Some(stream) = former.stream.take() else { return };
        // The one that comes hears nothing of it: its stream begins when it is subscribed.
        self.observe(AllocatorChange::FrameworkActive(FrameworkId::new(id), false));
        self.say(Output::ToFramework(stream.clone(), Box::new(event_error("Framework failed over".to_owned()))));
        self.say(Output::Close(stream));
    }

    /// A framework is other than before, by its own word.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn update_framework(&mut self, id: &str, update: Subscribe) -> Result<(), String> {
        let Subscribe { framework_info: mut info, suppressed_roles: suppressed } = update;
        let roles = self.roles(&info)?;
        let suppressed = suppressed_roles(&suppressed, &roles)?;
        info.id = Some(id.into());
        let Some(framework) = self.state.frameworks.get_mut(id) else { return Err("Framework cannot be found".into()) };
        unchangeable(&framework.info, &info, true)?;
        (framework.info, framework.roles, framework.suppressed) = (info, roles, suppressed);
        self.put_framework(id);
        self.record_framework(id);
        self.tell_agents_of(id);
        self.say(Output::Notice(Notice::FrameworkUpdated(id.to_owned())));
        self.allocate();
        Ok(())
    }

    /// A framework that is only known from records, or from agents that run its tasks.
    pub(super) fn recover_framework(&mut self, info: FrameworkInfo) {
        let Some(id) = info.id.as_ref().map(|id| id.value.clone()) else { return };
        if self.state.frameworks.contains_key(&id) || self.state.completed_ids.contains_key(&id) {
            return;
        }
        let roles = self.roles(&info).unwrap_or_default();
        let timeout = failover_timeout(&info);
        let mut framework = Framework::of(info, roles, BTreeSet::new());
        framework.unregistered = Some(self.now);
        framework.expires = self.now.checked_add(timeout).ok();
        self.state.frameworks.insert(id.clone(), framework);
        self.put_framework(&id);
    }

    /// Tells the allocator of a framework as it is.
    pub(super) fn put_framework(&mut self, id: &str) {
        let Some(framework) = self.state.frameworks.get(id) else { return };
        let (subscriber, is_connected) = (framework.subscriber(id), framework.is_connected());
        self.observe(AllocatorChange::FrameworkPut(subscriber));
        self.observe(AllocatorChange::FrameworkActive(FrameworkId::new(id), is_connected));
    }

    pub(super) fn record_framework(&mut self, id: &str) {
        let Some(framework) = self.state.frameworks.get(id) else { return };
        let disconnected = (!framework.is_connected()).then(|| self.time_info());
        let record = FrameworkRecord { framework: framework.info.clone(), disconnected };
        self.say(Output::Record(RegistryChange::Framework(Box::new(record))));
    }

    /// Agents that run something of a framework know it as it is now.
    fn tell_agents_of(&mut self, id: &str) {
        let Some(framework) = self.state.frameworks.get(id) else { return };
        let info = framework.info.clone();
        for agent in framework.agents() {
            let kind = AgentEventType::Framework.into();
            self.order(&agent, AgentEvent { r#type: kind, framework: Some(info.clone()), ..AgentEvent::default() });
        }
    }

    /// The roles that a framework is in.
    fn roles(&self, info: &FrameworkInfo) -> Result<BTreeSet<Role>, String> {
        let names: Vec<&str> = match (info.can(CapabilityType::MultiRole), &info.role) {
            (true, Some(_)) => return Err("'FrameworkInfo.role' must not be set with the MULTI_ROLE capability".into()),
            (true, None) => info.roles.iter().map(String::as_str).collect(),
            (false, _) if !info.roles.is_empty() => {
                return Err("'FrameworkInfo.roles' must not be set without the MULTI_ROLE capability".into());
            }
            (false, role) => vec![role.as_deref().unwrap_or(Role::DEFAULT)],
        };
        let mut roles = BTreeSet::new();
        for name in names {
            let role: Role = name.parse().map_err(|error| format!("Role '{name}' is invalid: {error}"))?;
            if self.settings.roles.as_ref().is_some_and(|all| !all.contains(&role)) {
                return Err(format!("Role '{name}' is not present in the master's --roles"));
            }
            if !roles.insert(role) {
                return Err(format!("'FrameworkInfo.roles' contains the role '{name}' twice"));
            }
        }
        Ok(roles)
    }
}

impl Framework {
    pub(super) fn of(info: FrameworkInfo, roles: BTreeSet<Role>, suppressed: BTreeSet<Role>) -> Self {
        Self {
            info,
            roles,
            suppressed,
            stream: None,
            registered: None,
            reregistered: None,
            unregistered: None,
            expires: None,
            tasks: Default::default(),
            completed_tasks: Default::default(),
            unreachable_tasks: Default::default(),
            executors: Default::default(),
        }
    }

    /// As an allocator knows it.
    fn subscriber(&self, id: &str) -> Subscriber {
        let subscription = |role: &Role| Subscription {
            suppressed: self.suppressed.contains(role),
            min_allocatable: self.info.offer_filters.get(role.as_str()).and_then(|filters| {
                let least = filters.min_allocatable_resources.as_ref()?;
                Some(least.quantities.iter().map(quantities).collect())
            }),
        };
        Subscriber {
            id: FrameworkId::new(id),
            roles: self.roles.iter().map(|role| (role.clone(), subscription(role))).collect(),
            capabilities: Capabilities {
                gpus: self.can(CapabilityType::GpuResources),
                other_regions: self.can(CapabilityType::RegionAware),
                revocable: self.can(CapabilityType::RevocableResources),
                refined_reservations: self.can(CapabilityType::ReservationRefinement),
            },
        }
    }

    /// The agents on which something of it is.
    pub(super) fn agents(&self) -> BTreeSet<String> {
        let of_tasks = self.tasks.values().map(|entry| entry.task.agent_id.value.clone());
        of_tasks.chain(self.executors.keys().map(|(agent, _)| agent.clone())).collect()
    }
}

fn quantities(least: &crate::wire::ResourceQuantities) -> Quantities {
    let amount =
        |(name, scalar): (&String, &crate::wire::Scalar)| Some((name.as_str().into(), Scalar::from_f64(scalar.value)?));
    least.quantities.iter().filter_map(amount).collect()
}

fn suppressed_roles(names: &[String], roles: &BTreeSet<Role>) -> Result<BTreeSet<Role>, String> {
    let known = |name: &String| {
        let role = roles.iter().find(|role| role.as_str() == name).cloned();
        role.ok_or_else(|| format!("Suppressed role '{name}' is not one of the framework's roles"))
    };
    names.iter().map(known).collect()
}

/// What a framework says again must be as it was. What is only known from records was said by itself.
fn unchangeable(old: &FrameworkInfo, new: &FrameworkInfo, is_said: bool) -> Result<(), String> {
    let changed = |what: &str| Err(format!("Updating 'FrameworkInfo.{what}' is unsupported"));
    match () {
        () if is_said && old.principal != new.principal => changed("principal"),
        () if is_said && old.user != new.user => changed("user"),
        () if is_said && old.checkpoint() != new.checkpoint() => changed("checkpoint"),
        () => Ok(()),
    }
}

/// How long a framework may be away.
pub(super) fn failover_timeout(info: &FrameworkInfo) -> std::time::Duration {
    const MOST: f64 = 1e9;
    let seconds = info.failover_timeout();
    std::time::Duration::from_secs_f64(if seconds.is_finite() { seconds.clamp(0.0, MOST) } else { 0.0 })
}

fn event_error(message: String) -> crate::wire::scheduler::Event {
    let mut said = event(EventType::Error);
    said.error = Some(Error { message });
    said
}
