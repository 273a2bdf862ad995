//! What else can be done with an offer: groups of tasks, reservations, volumes.

use mesos_like::framework::command;
use mesos_like::resources::{Form, from_wire, to_wire};
use mesos_like::wire::scheduler::{
    Call, CallType, Launch, LaunchGroup, Operation, OperationState, OperationType, Reserve, Volumes,
};
use mesos_like::wire::{
    Capability, CapabilityType, DiskInfo, ExecutorInfo, ExecutorType, FrameworkInfo, Offer, Persistence,
    ReservationInfo, Resource, TaskGroupInfo, TaskState, Volume, VolumeMode,
};

use crate::cluster::{Cluster, eventually, is_alive};
use crate::framework::{Framework, info, on, operation, pid, task};

#[tokio::test]
async fn tasks_of_a_group_run_together_and_end_together() {
    let cluster = Cluster::of("group", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("group")).await;
    let offer = framework.offer(|_| true).await;
    let mut executor = ExecutorInfo { executor_id: "group".into(), ..ExecutorInfo::default() };
    executor.set_type(ExecutorType::Default);
    executor.resources = command("executor", "", &"cpus:0.1;mem:32".parse().expect("resources")).resources;
    let tasks = vec![on(&offer, task("one", "exec sleep 1000")), on(&offer, task("two", "exec sleep 1000"))];
    let mut group = operation(OperationType::LaunchGroup);
    group.launch_group = Some(LaunchGroup { executor, task_group: TaskGroupInfo { tasks } });
    framework.accept(&offer, vec![group]).await;
    let one = framework.until_state("one", TaskState::Running).await;
    let two = framework.until_state("two", TaskState::Running).await;
    assert_ne!(pid(&one), pid(&two));
    framework.kill("one").await;
    framework.until_state("one", TaskState::Killed).await;
    framework.until_state("two", TaskState::Killed).await;
    assert!(!is_alive(pid(&one)) && !is_alive(pid(&two)));
    // The executor has gone with its tasks, and all that they used is offered again.
    framework.offer(|offer| from_wire(&offer.resources).expect("resources").scalar("cpus").as_f64() == 4.0).await;
}

#[tokio::test]
async fn a_volume_on_a_reservation_is_offered_to_its_role_alone_and_keeps_what_is_written() {
    let cluster = Cluster::of("volume", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], in_role("db")).await;
    let offer = framework.offer(|_| true).await;
    let (disk, volume) = (reserved_disk(), volume());
    let mut reserve = operation(OperationType::Reserve);
    reserve.reserve = Some(Reserve { resources: vec![disk], source: Vec::new() });
    let mut create = operation(OperationType::Create);
    create.create = Some(Volumes { volumes: vec![volume.clone()] });
    framework.accept(&offer, vec![reserve, create, launch(&offer, "write", "echo kept > data/file", &volume)]).await;
    framework.until_state("write", TaskState::Finished).await;
    // Nobody else is offered it.
    let mut other = Framework::subscribe(&[cluster.master(1)], in_role("web")).await;
    let has_volume = |offer: &Offer| offer.resources.iter().any(|resource| resource.disk.is_some());
    framework.call(CallType::Suppress, Call::default()).await;
    let others = other.offer(|_| true).await;
    assert!(!has_volume(&others), "{:?}", others.resources);
    other.accept(&others, Vec::new()).await;
    other.call(CallType::Teardown, Call::default()).await;
    framework.call(CallType::Revive, Call::default()).await;
    let offer = framework.offer(has_volume).await;
    let read = launch(&offer, "read", "grep -q kept data/file", &volume);
    framework.accept(&offer, vec![read]).await;
    framework.until_state("read", TaskState::Finished).await;
    let offer = framework.offer(has_volume).await;
    let mut destroy = operation(OperationType::Destroy);
    destroy.destroy = Some(Volumes { volumes: vec![volume] });
    framework.accept(&offer, vec![destroy]).await;
    let path = cluster.folder().join("agent-1/volumes/roles/db/v1");
    eventually("the end of the data", async || (!path.exists()).then_some(())).await;
    framework.until("three operations", |framework| framework.operations.len() == 3).await;
    assert_eq!(framework.operations, [OperationState::Finished; 3]);
}

fn in_role(role: &str) -> FrameworkInfo {
    let capabilities = [CapabilityType::MultiRole, CapabilityType::ReservationRefinement];
    let capability = |capability: CapabilityType| Capability { r#type: Some(capability.into()) };
    FrameworkInfo { roles: vec![role.to_owned()], capabilities: capabilities.map(capability).into(), ..info(role) }
}

fn reserved_disk() -> Resource {
    let form = Form { allocated_to: None, stacked: true };
    let mut disk = to_wire(&"disk:64".parse().expect("a disk"), &form).remove(0);
    let mut reservation = ReservationInfo { role: Some("db".to_owned()), ..ReservationInfo::default() };
    reservation.set_type(mesos_like::wire::ReservationType::Dynamic);
    disk.reservations = vec![reservation];
    disk
}

fn volume() -> Resource {
    let mut seen = Volume { container_path: "data".to_owned(), ..Volume::default() };
    seen.set_mode(VolumeMode::Rw);
    let persistence = Persistence { id: "v1".to_owned(), principal: None };
    let disk = DiskInfo { persistence: Some(persistence), volume: Some(seen), source: None };
    Resource { disk: Some(disk), ..reserved_disk() }
}

fn launch(offer: &Offer, id: &str, line: &str, volume: &Resource) -> Operation {
    let mut task = on(offer, task(id, line));
    task.resources.push(volume.clone());
    let mut launch = operation(OperationType::Launch);
    launch.launch = Some(Launch { task_infos: vec![task] });
    launch
}
