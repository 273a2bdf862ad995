//! [`Place`]: an agent's folder and its containers, and an [`Executor`] in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mesos_like::agent::builtin::{BuiltinExecutor, BuiltinSetting, Recovered};
use mesos_like::agent::containers::{Containers, ImageBackend, RuntimeSetting};
use mesos_like::wire::executor::{Acknowledged, Call, Event, EventType, Kill, Launch, LaunchGroup};
use mesos_like::wire::{
    Capability, CapabilityType, CommandInfo, DurationInfo, ExecutorInfo, ExecutorType, FrameworkInfo, KillPolicy,
    TaskGroupInfo, TaskInfo, TaskState, TaskStatus,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long anything may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// An agent's folder, which goes with the test.
pub(crate) struct Place {
    folder: PathBuf,
    pub(crate) setting: RuntimeSetting,
}

impl Place {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("orch-mesos-tasks-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder of its own");
        let setting = RuntimeSetting {
            work_dir: folder.clone(),
            shim: Some(env!("CARGO_BIN_EXE_mesos-like").into()),
            cache_bytes: 1 << 20,
            ..RuntimeSetting::default()
        };
        Self { folder, setting }
    }

    pub(crate) fn with_images(images: ImageBackend) -> Self {
        let mut place = Self::new();
        place.setting.images = images;
        place
    }

    pub(crate) async fn open(&self) -> Arc<Containers> {
        Arc::new(Containers::open(self.setting.clone()).await.expect("the runtimes can be opened"))
    }

    pub(crate) fn sandbox(&self) -> PathBuf {
        self.folder.join("sandbox")
    }

    pub(crate) fn written(&self, file: &str) -> String {
        fs::read_to_string(self.sandbox().join(file)).unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} is left: {error}", self.folder.display());
        }
    }
}

/// A built-in executor, and what an agent hears of it.
pub(crate) struct Executor {
    events: mpsc::Sender<Event>,
    calls: mpsc::Receiver<Call>,
    running: JoinHandle<()>,
}

/// The container of the executors here.
pub(crate) const CONTAINER: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

impl Executor {
    pub(crate) fn start(containers: &Arc<Containers>, place: &Place, kind: ExecutorType) -> Self {
        Self::recovering(containers, place, kind, Vec::new())
    }

    pub(crate) fn recovering(
        containers: &Arc<Containers>,
        place: &Place,
        kind: ExecutorType,
        recovered: Vec<Recovered>,
    ) -> Self {
        let killing = Capability { r#type: Some(CapabilityType::TaskKillingState.into()) };
        let setting = BuiltinSetting {
            framework: FrameworkInfo { id: Some("F".into()), capabilities: vec![killing], ..FrameworkInfo::default() },
            executor: ExecutorInfo { r#type: Some(kind.into()), executor_id: "e".into(), ..ExecutorInfo::default() },
            agent_id: "S0".into(),
            agent_ip: [127, 0, 0, 1].into(),
            container_id: CONTAINER.to_owned(),
            sandbox: place.sandbox(),
            user: None,
            environment: vec![("MESOS_FRAMEWORK_ID".to_owned(), "F".to_owned())],
            recovered,
        };
        let ((events, heard), (said, calls)) = (mpsc::channel(16), mpsc::channel(16));
        let running = BuiltinExecutor::start(Arc::clone(containers), setting, heard, said);
        Self { events, calls, running }
    }

    pub(crate) async fn launch(&self, task: TaskInfo) {
        self.hears(EventType::Launch, |event| event.launch = Some(Launch { task })).await;
    }

    pub(crate) async fn launch_group(&self, tasks: Vec<TaskInfo>) {
        let task_group = TaskGroupInfo { tasks };
        self.hears(EventType::LaunchGroup, |event| event.launch_group = Some(LaunchGroup { task_group })).await;
    }

    pub(crate) async fn kill(&self, id: &str, grace: Duration) {
        let nanoseconds = i64::try_from(grace.as_nanos()).expect("a short time");
        let kill_policy = Some(KillPolicy { grace_period: Some(DurationInfo { nanoseconds }) });
        let kill = Kill { task_id: id.into(), kill_policy };
        self.hears(EventType::Kill, |event| event.kill = Some(kill)).await;
    }

    async fn hears(&self, kind: EventType, fill: impl FnOnce(&mut Event)) {
        let mut event = Event { r#type: Some(kind.into()), ..Event::default() };
        fill(&mut event);
        self.events.send(event).await.expect("the executor listens");
    }

    /// The next status that it tells, which is acknowledged.
    pub(crate) async fn status(&mut self) -> TaskStatus {
        loop {
            let call = timeout(PATIENCE, self.calls.recv()).await.expect("it tells in time").expect("it lives");
            let Some(update) = call.update else { continue };
            let (task_id, uuid) = (update.status.task_id.clone(), update.status.uuid.clone().expect("a uuid"));
            self.hears(EventType::Acknowledged, |event| {
                event.acknowledged = Some(Acknowledged { task_id, uuid });
            })
            .await;
            return update.status;
        }
    }

    /// The next status, which must have this state.
    pub(crate) async fn told(&mut self, state: TaskState) -> TaskStatus {
        let status = self.status().await;
        assert_eq!(status.state().text(), state.text(), "{:?}: {:?}", status.message, status.reason());
        status
    }

    /// Told that it starts and runs.
    pub(crate) async fn runs(&mut self) -> TaskStatus {
        self.told(TaskState::Starting).await;
        self.told(TaskState::Running).await
    }

    pub(crate) async fn ends(self) {
        timeout(PATIENCE, self.running).await.expect("it ends in time").expect("it does not panic");
    }

    /// As when the agent dies: nobody listens any more.
    pub(crate) async fn forgotten(self) {
        drop((self.events, self.calls));
        timeout(PATIENCE, self.running).await.expect("it ends in time").expect("it does not panic");
    }
}

/// A task that runs a shell script.
pub(crate) fn script(id: &str, script: &str) -> TaskInfo {
    let command = CommandInfo { value: Some(script.to_owned()), ..CommandInfo::default() };
    TaskInfo { name: id.to_owned(), task_id: id.into(), command: Some(command), ..TaskInfo::default() }
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it did not come to be: {what}");
}

/// Whether a process is there and has not ended.
pub(crate) fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
