//! [`Framework`]: a framework that a test drives step by step.

use std::collections::BTreeMap;

use mesos_like::framework::{Connection, acknowledge, command, place};
use mesos_like::wire::scheduler::{
    Accept, Call, CallType, Event, EventType, Kill, Launch, Operation, OperationState, OperationType,
};
use mesos_like::wire::{
    Capability, CapabilityType, Filters, FrameworkId, FrameworkInfo, Offer, TaskInfo, TaskState, TaskStatus,
};
use orch_sched::FilterScoreScheduler;

use crate::cluster::PATIENCE;

/// A framework that a test drives step by step. It remembers every status that it saw.
#[derive(Debug)]
pub(crate) struct Framework {
    pub(crate) master: Connection,
    /// The statuses of each task, in the order in which they came.
    pub(crate) statuses: BTreeMap<String, Vec<TaskStatus>>,
    /// How often it was subscribed.
    pub(crate) subscriptions: usize,
    /// Whether it acknowledges.
    pub(crate) acknowledges: bool,
    /// How far the operations are of which it was told.
    pub(crate) operations: Vec<OperationState>,
    waiting: Vec<TaskInfo>,
}

/// A framework that tolerates partitions and masters that change.
pub(crate) fn info(name: &str) -> FrameworkInfo {
    FrameworkInfo {
        user: String::new(),
        name: name.to_owned(),
        checkpoint: Some(true),
        failover_timeout: Some(300.0),
        capabilities: vec![Capability { r#type: Some(CapabilityType::PartitionAware.into()) }],
        ..FrameworkInfo::default()
    }
}

/// A task of little that runs a command.
pub(crate) fn task(id: &str, line: &str) -> TaskInfo {
    command(id, line, &"cpus:0.1;mem:32".parse().expect("resources"))
}

impl Framework {
    pub(crate) async fn subscribe(masters: &[String], info: FrameworkInfo) -> Self {
        let master = Connection::new(masters.to_vec(), info).expect("a master is named");
        let mut framework = Self {
            master,
            statuses: BTreeMap::new(),
            subscriptions: 0,
            acknowledges: true,
            operations: Vec::new(),
            waiting: Vec::new(),
        };
        framework.until("the subscription", |framework| framework.subscriptions > 0).await;
        framework
    }

    pub(crate) fn id(&self) -> FrameworkId {
        self.master.id().expect("it is subscribed").clone()
    }

    /// Launches tasks when there are offers for them.
    pub(crate) fn launch(&mut self, tasks: impl IntoIterator<Item = TaskInfo>) {
        self.waiting.extend(tasks);
    }

    pub(crate) async fn kill(&mut self, task: &str) {
        let kill = Kill { task_id: task.into(), ..Kill::default() };
        self.call(CallType::Kill, Call { kill: Some(kill), ..Call::default() }).await;
    }

    pub(crate) async fn call(&mut self, kind: CallType, call: Call) {
        self.master.call(kind, call).await.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    }

    /// The state that it knows a task in.
    pub(crate) fn state(&self, task: &str) -> Option<TaskState> {
        Some(self.statuses.get(task)?.last()?.state())
    }

    /// Takes events until something is so.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let seen = async {
            while !is_so(self) {
                let event = self.master.next().await.unwrap_or_else(|error| panic!("{error}"));
                self.take(event).await;
            }
        };
        if tokio::time::timeout(PATIENCE, seen).await.is_err() {
            let states: Vec<_> = self.statuses.keys().map(|id| (id.clone(), self.state(id))).take(8).collect();
            panic!("waited for {what}: {} waiting, {states:?}", self.waiting.len());
        }
    }

    /// Waits until a task is in this state.
    pub(crate) async fn until_state(&mut self, task: &str, state: TaskState) -> TaskStatus {
        self.until(&format!("{task} to be {}", state.text()), |framework| framework.state(task) == Some(state)).await;
        self.statuses[task].last().expect("it is in a state").clone()
    }

    /// The next offer that is as it should be; others are declined.
    pub(crate) async fn offer(&mut self, is_it: impl Fn(&Offer) -> bool) -> Offer {
        let found = async {
            loop {
                let event = self.master.next().await.expect("an event");
                if event.r#type() != EventType::Offers {
                    self.take(event).await;
                    continue;
                }
                for offer in event.offers.unwrap_or_default().offers {
                    if is_it(&offer) {
                        return offer;
                    }
                    self.accept(&offer, Vec::new()).await;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("an offer in time")
    }

    /// Launches a task on an offer, whatever else is offered.
    pub(crate) async fn launch_on(&mut self, offer: &Offer, task: TaskInfo) {
        let mut launch = operation(OperationType::Launch);
        launch.launch = Some(Launch { task_infos: vec![on(offer, task)] });
        self.accept(offer, vec![launch]).await;
    }

    pub(crate) async fn accept(&mut self, offer: &Offer, operations: Vec<Operation>) {
        let filters = Some(Filters { refuse_seconds: Some(0.1) });
        let accept = Accept { offer_ids: vec![offer.id.clone()], operations, filters };
        self.call(CallType::Accept, Call { accept: Some(accept), ..Call::default() }).await;
    }

    /// Does what an event asks for.
    pub(crate) async fn take(&mut self, event: Event) {
        match event.r#type() {
            EventType::Subscribed => self.subscriptions += 1,
            EventType::Offers => {
                let offers = event.offers.unwrap_or_default().offers;
                let waiting = std::mem::take(&mut self.waiting);
                let filters = Filters { refuse_seconds: Some(0.1) };
                let placement = place(&mut FilterScoreScheduler::default(), &offers, waiting.clone(), &filters);
                self.waiting = waiting;
                self.waiting.retain(|task| !placement.launched.contains(&task.task_id.value));
                for call in placement.calls {
                    self.call(CallType::Accept, call).await;
                }
            }
            EventType::Update => {
                let status = event.update.expect("an update has a status").status;
                let call = acknowledge(&status).filter(|_| self.acknowledges);
                self.statuses.entry(status.task_id.value.clone()).or_default().push(status);
                if let Some(call) = call {
                    self.call(CallType::Acknowledge, call).await;
                }
            }
            EventType::UpdateOperationStatus => {
                let status = event.update_operation_status.expect("an operation has a status").status;
                self.operations.push(status.state());
            }
            _ => {}
        }
    }
}

/// A task on the agent of an offer.
pub(crate) fn on(offer: &Offer, mut task: TaskInfo) -> TaskInfo {
    task.agent_id = offer.agent_id.clone();
    task
}

/// An operation of this kind, whose id is its name.
pub(crate) fn operation(kind: OperationType) -> Operation {
    let mut operation = Operation { id: Some(kind.text().into()), ..Operation::default() };
    operation.set_type(kind);
    operation
}

/// The process that a status tells of.
pub(crate) fn pid(status: &TaskStatus) -> u32 {
    let container = status.container_status.as_ref().expect("a status has its container's");
    container.executor_pid.expect("a container has a process")
}
