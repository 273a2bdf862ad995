//! What becomes of what operators decide, with an agent, a framework and a task.

use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_sched::offer::{AllocatorOptions, DrfAllocator};

use super::*;
use crate::master::core::{Notice, Output, Settings};
use crate::master::registry::{AgentStanding, Registered, RegistryChange};
use crate::resources::from_wire;
use crate::wire::scheduler::{Accept, Call, CallType, EventType, Launch, Operation, OperationType, Reserve, Subscribe};
use crate::wire::{
    AgentEventType, AgentInfo, Capability, CapabilityType, CommandInfo, DrainState, DurationInfo, FrameworkInfo,
    MachineId, MasterInfo, QuotaConfig, Register, ReservationInfo, Resource, Scalar, Schedule, TaskInfo, TaskState,
    TimeInfo, Unavailability, WeightInfo, Window,
};

const START: i64 = 1_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).expect("a time")
}

fn scalar(name: &str, value: f64) -> Resource {
    Resource { name: name.to_owned(), scalar: Some(Scalar { value }), ..Resource::default() }
}

fn reserved(mut resource: Resource, role: &str) -> Resource {
    let mut reservation = ReservationInfo { role: Some(role.to_owned()), ..ReservationInfo::default() };
    reservation.set_type(crate::wire::ReservationType::Dynamic);
    resource.reservations = vec![reservation];
    resource
}

fn quota(role: &str, limit: f64) -> QuotaConfig {
    let limits = [("cpus".to_owned(), Scalar { value: limit })].into();
    QuotaConfig { role: role.to_owned(), limits, ..QuotaConfig::default() }
}

fn empty(registered: Registered) -> Master {
    let info = MasterInfo { id: "M".to_owned(), ..MasterInfo::default() };
    let allocator = Box::new(DrfAllocator::new(AllocatorOptions::default()));
    Master::new(info, Settings::default(), allocator, registered, at(0))
}

/// An agent of 4 CPUs, and a framework in the role `dev` that runs a task of one of them.
fn cluster() -> Master {
    let mut master = empty(Registered::default());
    come(&mut master, None);
    let capabilities =
        [CapabilityType::MultiRole, CapabilityType::PartitionAware, CapabilityType::ReservationRefinement];
    let capability = |capability: CapabilityType| Capability { r#type: Some(capability.into()) };
    let info = FrameworkInfo {
        user: "u".to_owned(),
        roles: vec!["dev".to_owned()],
        checkpoint: Some(true),
        failover_timeout: Some(60.0),
        capabilities: capabilities.map(capability).into(),
        ..FrameworkInfo::default()
    };
    master.subscribe(Subscribe { framework_info: info, suppressed_roles: Vec::new() }, "framework");
    let offered = events(&mut master, EventType::Offers);
    let offer = offered[0].offers.clone().expect("offers").offers.remove(0);
    let task = TaskInfo {
        name: "t".to_owned(),
        task_id: "t".into(),
        agent_id: offer.agent_id.clone(),
        resources: vec![scalar("cpus", 1.0)],
        command: Some(CommandInfo { value: Some("true".to_owned()), ..CommandInfo::default() }),
        ..TaskInfo::default()
    };
    let launch = Some(Launch { task_infos: vec![task] });
    let launch = Operation { r#type: Some(OperationType::Launch.into()), launch, ..Operation::default() };
    let accept = Accept { offer_ids: vec![offer.id], operations: vec![launch], ..Accept::default() };
    let call = Call {
        r#type: Some(CallType::Accept.into()),
        framework_id: Some("M-0000".into()),
        accept: Some(accept),
        ..Call::default()
    };
    master.call(call, Some("framework")).expect("accepted");
    assert!(master.state().frameworks["M-0000"].tasks.contains_key("t"));
    drop(master.take_output());
    master
}

fn come(master: &mut Master, id: Option<&str>) {
    let agent = AgentInfo { hostname: "h1".to_owned(), ..AgentInfo::default() };
    let register =
        Register { agent, resources: vec![scalar("cpus", 4.0), scalar("mem", 1024.0)], ..Default::default() };
    master.register(id, register, "agent", "10.0.0.1");
}

fn events(master: &mut Master, kind: EventType) -> Vec<crate::wire::scheduler::Event> {
    let said = master.take_output().into_iter().filter_map(|output| match output {
        Output::ToFramework(_, event) if event.r#type() == kind => Some(*event),
        _ => None,
    });
    said.collect()
}

fn recorded(output: &[Output]) -> Vec<&RegistryChange> {
    fn change(output: &Output) -> Option<&RegistryChange> {
        match output {
            Output::Record(change) => Some(change),
            _ => None,
        }
    }
    output.iter().filter_map(change).collect()
}

fn orders(output: &[Output], kind: AgentEventType) -> usize {
    output.iter().filter(|one| matches!(one, Output::ToAgent(_, event) if event.r#type() == kind)).count()
}

fn decided(master: &mut Master, decision: Decision) -> Vec<Output> {
    master.decide(decision).expect("done");
    master.take_output()
}

fn refused(master: &mut Master, decision: Decision) -> (u16, String) {
    let refusal = master.decide(decision).expect_err("refused");
    assert_eq!(recorded(&master.take_output()), Vec::<&RegistryChange>::new());
    (refusal.status.as_u16(), refusal.message)
}

#[test]
fn weights_are_recorded_and_forgotten_when_they_are_one() {
    let mut master = empty(Registered::default());
    let weight = |weight| Decision::Weights(vec![WeightInfo { weight, role: Some("dev".to_owned()) }]);
    let output = decided(&mut master, weight(2.0));
    assert!(matches!(recorded(&output)[..], [RegistryChange::Role(record)] if record.weight == Some(2.0)));
    let output = decided(&mut master, weight(1.0));
    assert!(matches!(recorded(&output)[..], [RegistryChange::Role(record)] if record.weight.is_none()));
    assert!(master.state().weights.is_empty());
    assert_eq!(refused(&mut master, weight(0.0)).0, 400);
}

#[test]
fn quotas_are_set_all_or_none_and_those_that_cannot_be_kept_only_by_force() {
    let mut master = cluster();
    let quotas = |quotas: Vec<QuotaConfig>, force| Decision::Quotas { quotas, force };
    let output = decided(&mut master, quotas(vec![quota("dev", 3.0)], false));
    assert!(matches!(recorded(&output)[..], [RegistryChange::Role(record)] if record.quota.is_some()));
    let (status, reason) = refused(&mut master, quotas(vec![quota("ops", 1.0), quota("dev", 0.5)], false));
    assert!(status == 409 && reason.contains("force"), "{reason}");
    assert_eq!(master.state().quotas.len(), 1);
    decided(&mut master, quotas(vec![quota("dev", 0.5)], true));
    for (wrong, said) in
        [(quota("*", 1.0), "default"), (quota("a//b", 1.0), "empty part"), (quota("dev", -1.0), "no amount")]
    {
        let (status, reason) = refused(&mut master, quotas(vec![wrong], true));
        assert!(status == 400 && reason.contains(said), "{reason}");
    }
    decided(&mut master, quotas(vec![QuotaConfig { role: "dev".to_owned(), ..QuotaConfig::default() }], false));
    assert!(master.state().quotas.is_empty());
}

#[test]
fn resources_are_reserved_if_they_are_free_and_the_agent_is_told() {
    let mut master = cluster();
    let reserve = |cpus: f64| {
        let reserve = Reserve { source: Vec::new(), resources: vec![reserved(scalar("cpus", cpus), "ops")] };
        let kind = Some(OperationType::Reserve.into());
        Decision::Resources(
            "M-S0".into(),
            Box::new(Operation { r#type: kind, reserve: Some(reserve), ..Operation::default() }),
        )
    };
    let output = decided(&mut master, reserve(2.0));
    assert_eq!(orders(&output, AgentEventType::Apply), 1);
    let kept = from_wire(&[reserved(scalar("cpus", 2.0), "ops")]).expect("resources");
    assert!(master.state().agents["M-S0"].total.contains(&kept));
    let (status, reason) = refused(&mut master, reserve(2.0));
    assert_eq!(status, 409, "{reason}");
    let Decision::Resources(_, operation) = reserve(1.0) else { unreachable!() };
    assert_eq!(refused(&mut master, Decision::Resources("M-S9".into(), operation)).0, 400);
}

#[test]
fn an_agent_that_is_drained_loses_its_tasks_and_then_is_gone_if_that_is_wanted() {
    let mut master = cluster();
    let grace = Some(Duration::from_secs(3));
    let output = decided(&mut master, Decision::Drain { agent: "M-S0".into(), grace, mark_gone: true });
    let kill = output.iter().find_map(|one| match one {
        Output::ToAgent(_, event) => event.kill.clone(),
        _ => None,
    });
    let policy = kill.expect("a kill").kill.kill_policy.expect("a policy");
    assert_eq!(policy.grace_period, Some(DurationInfo { nanoseconds: 3_000_000_000 }));
    let drain = master.state().agents["M-S0"].drain.clone().expect("a drain");
    assert_eq!(drain.state(), DrainState::Draining);
    master.remove_framework("M-0000");
    master.end_remains("M-S0", "M-0000", &crate::master::core::Remaining::Task("t".to_owned()));
    drop(master.take_output());
    master.tick();
    let output = master.take_output();
    assert_eq!(orders(&output, AgentEventType::Shutdown), 1);
    let gone = |change: &&RegistryChange| matches!(change, RegistryChange::Agent(record) if record.standing() == AgentStanding::Gone);
    assert!(recorded(&output).iter().any(gone) && master.state().gone.contains_key("M-S0"));
    come(&mut master, Some("M-S0"));
    assert_eq!(orders(&master.take_output(), AgentEventType::Refused), 1);
}

#[test]
fn the_next_master_drains_on() {
    let mut master = cluster();
    let drain = Decision::Drain { agent: "M-S0".into(), grace: None, mark_gone: false };
    let output = decided(&mut master, drain);
    let [RegistryChange::Agent(record)] = recorded(&output)[..] else { panic!("{output:?}") };
    let agents = [("M-S0".to_owned(), (**record).clone())].into();
    let mut next = empty(Registered { agents, ..Registered::default() });
    come(&mut next, Some("M-S0"));
    assert!(!next.state().agents["M-S0"].is_active());
    next.tick();
    assert_eq!(next.state().agents["M-S0"].drain.as_ref().expect("a drain").state(), DrainState::Drained);
    decided(&mut next, Decision::Reactivate("M-S0".into()));
    assert!(next.state().agents["M-S0"].is_active());
}

#[test]
fn tasks_of_an_agent_that_is_gone_are_gone_by_the_operator() {
    let mut master = cluster();
    decided_gone(&mut master);
    let mut master = cluster();
    // The same of one that does not answer.
    master.stream_ended("agent");
    master.advance(at(700));
    // A ping is due first, which nobody answers.
    master.tick();
    master.tick();
    assert!(master.state().unreachable.contains_key("M-S0"));
    drop(master.take_output());
    decided_gone(&mut master);
    assert_eq!(refused(&mut master, Decision::Gone("M-S9".into())).0, 400);
    decided(&mut master, Decision::Gone("M-S0".into()));
}

fn decided_gone(master: &mut Master) {
    let output = decided(master, Decision::Gone("M-S0".into()));
    let states = output.iter().filter_map(|one| match one {
        Output::ToFramework(_, event) => Some(event.update.as_ref()?.status.state()),
        _ => None,
    });
    assert_eq!(states.collect::<Vec<_>>(), [TaskState::GoneByOperator]);
    let is_notice = |one: &Output| matches!(one, Output::Notice(Notice::TaskUpdated { .. }));
    assert!(output.iter().any(is_notice) && master.state().gone.contains_key("M-S0"));
}

#[test]
fn a_machine_is_scheduled_asked_for_taken_down_and_up_again() {
    let mut master = cluster();
    let machine = || MachineId { hostname: Some("h1".to_owned()), ip: None };
    let unavailability = Unavailability { start: TimeInfo { nanoseconds: 5 }, duration: None };
    let window = Window { machine_ids: vec![machine()], unavailability };
    assert_eq!(refused(&mut master, Decision::MachinesDown(vec![machine()])).0, 400);
    let schedule = Schedule { windows: vec![window.clone()] };
    master.decide(Decision::Schedule(schedule.clone())).expect("a schedule");
    let inverse = events(&mut master, EventType::InverseOffers);
    let offer = inverse[0].inverse_offers.clone().expect("offers").inverse_offers.remove(0);
    assert_eq!(offer.unavailability.start.nanoseconds, 5);
    master.tick();
    assert!(events(&mut master, EventType::InverseOffers).is_empty());
    master.answer_inverse("M-0000", &[offer.id], false);
    assert_eq!(master.state().inverse_answers.len(), 1);
    let output = decided(&mut master, Decision::MachinesDown(vec![machine()]));
    assert_eq!(orders(&output, AgentEventType::Shutdown), 1);
    assert!(master.state().agents.is_empty());
    come(&mut master, Some("M-S0"));
    assert_eq!(orders(&master.take_output(), AgentEventType::Refused), 1);
    assert_eq!(refused(&mut master, Decision::Schedule(Schedule::default())).0, 400);
    decided(&mut master, Decision::MachinesUp(vec![machine()]));
    assert!(master.state().machines.is_empty());
    come(&mut master, Some("M-S0"));
    assert!(master.state().agents.contains_key("M-S0"));
    drop(master.take_output());
    let twice = Schedule { windows: vec![window.clone(), window] };
    assert!(refused(&mut master, Decision::Schedule(twice)).1.contains("more than once"));
}

#[test]
fn a_framework_is_torn_down_by_its_id() {
    let mut master = cluster();
    assert_eq!(refused(&mut master, Decision::Teardown("M-0009".into())).0, 400);
    decided(&mut master, Decision::Teardown("M-0000".into()));
    assert!(master.state().frameworks.is_empty() && master.state().completed_ids.contains_key("M-0000"));
}
