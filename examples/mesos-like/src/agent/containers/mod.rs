//! [`Containers`]: runs executors and tasks, as processes of the machine or from images.

mod account;
mod beside;
mod command;
mod end;
mod folders;
mod image;
mod launch;
mod limits;
mod output;
mod plan;
mod ports;
mod runtimes;
mod volumes;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use orch_core::runtime::{
    ContainerState, ContainerStatus, ExecOutput, ExecRequest, Images, Interactive, Mount, PodStats, PodUid,
    RuntimeError, SandboxStatus, Session,
};
use tokio::sync::watch;

pub(in crate::agent) use self::account::Account;
use self::beside::Attendance;
pub use self::launch::{ContainerPlan, Ended, LaunchError, Launched};
use self::plan::{Ground, Planned};
use self::runtimes::Runtimes;
pub use self::runtimes::{ImageBackend, RuntimeSetting};
pub use self::volumes::persistent_volume;
use super::fetch::Fetcher;

/// How often it is looked whether a container runs, in case nobody tells.
const LOOK: Duration = Duration::from_secs(20);

/// How long it is waited after something went wrong.
const RETRY: Duration = Duration::from_secs(2);

/// What an agent's containers are run with.
#[derive(Debug)]
pub struct Containers {
    setting: RuntimeSetting,
    runtimes: Runtimes,
    fetcher: Fetcher,
    beside: Attendance,
    /// Changes when a container was ended or removed from here: runtimes tell of what nobody asked for.
    ended_here: watch::Sender<u64>,
}

impl Containers {
    /// Opens the runtimes, with every container that an earlier agent left there.
    ///
    /// # Errors
    /// [`RuntimeError`] if one cannot be used.
    pub async fn open(setting: RuntimeSetting) -> Result<Self, RuntimeError> {
        let runtimes = Runtimes::open(&setting).await?;
        Ok(Self::over(setting, runtimes))
    }

    /// Over runtimes that are open: of processes, and of images.
    #[must_use]
    pub fn of(
        setting: RuntimeSetting,
        host: Arc<dyn Interactive>,
        images: Option<(Arc<dyn Interactive>, Arc<dyn Images>)>,
    ) -> Self {
        Self::over(setting, Runtimes::of(host, images))
    }

    fn over(setting: RuntimeSetting, runtimes: Runtimes) -> Self {
        let cache = setting.work_dir.join("fetch");
        let fetcher = Fetcher::new(cache, setting.cache_bytes, setting.frameworks_home.clone());
        Self { setting, runtimes, fetcher, beside: Attendance::default(), ended_here: watch::Sender::new(0) }
    }

    /// Gives the runtimes back, as if this process had ended: containers go on.
    pub async fn close(&self) {
        self.beside.stop_all();
        self.runtimes.close().await;
    }

    /// Makes the sandbox, fetches what the command needs, and starts the container. One that was started before is not
    /// started again; by an earlier agent, it is attended to again.
    ///
    /// # Errors
    /// [`LaunchError`]; nothing runs then.
    pub async fn launch(&self, plan: &ContainerPlan) -> Result<Launched, LaunchError> {
        if let Some(launched) = self.launched_before(plan).await {
            return Ok(launched);
        }
        let (planned, account) = self.planned(plan)?;
        let runtime = self.runtime_for(&planned);
        let mounts = self.prepare(plan, &planned, account).await?;
        match self.start(&runtime, &planned, mounts).await {
            Ok(launched) => {
                self.beside.begin(&runtime, plan.sandbox.clone(), &planned, launched.ip);
                Ok(launched)
            }
            Err(error) => {
                self.remove(&plan.id).await;
                Err(error)
            }
        }
    }

    fn planned(&self, plan: &ContainerPlan) -> Result<(Planned, Option<Account>), LaunchError> {
        let user = plan.command.user.as_deref().or(plan.user.as_deref()).filter(|user| !user.is_empty());
        // Docker's containers run as the user of their image, as Mesos has it.
        let account = match user.filter(|_| volumes::within(plan) != command::Within::Docker) {
            Some(user) => Account::named(user)?,
            None => None,
        };
        let ground = Ground {
            work_dir: &self.setting.work_dir,
            has_images: self.runtimes.images.is_some(),
            cfs: self.setting.cfs,
        };
        Ok((plan::plan(plan, &ground, account.as_ref())?, account))
    }

    /// A container that was started before, attended to if it runs.
    async fn launched_before(&self, plan: &ContainerPlan) -> Option<Launched> {
        let (runtime, pod) = self.found(&plan.id.parse().ok()?).await.ok().flatten()?;
        let launched = launched(&pod)?;
        let runs = pod.containers.iter().any(|container| container.state.is_running());
        if runs {
            match self.planned(plan) {
                Ok((planned, _)) => self.beside.begin(&runtime, plan.sandbox.clone(), &planned, launched.ip),
                Err(error) => tracing::warn!(id = plan.id, %error, "a container runs that could not be started now"),
            }
        }
        Some(launched)
    }

    /// Makes what is to be there before the container is started.
    async fn prepare(
        &self,
        plan: &ContainerPlan,
        planned: &Planned,
        account: Option<Account>,
    ) -> Result<Vec<Mount>, LaunchError> {
        let (sandbox, theirs) = (plan.sandbox.clone(), account.clone());
        on_disk(move || folders::make_sandbox(&sandbox, theirs.as_ref())).await?;
        let fetched = self.fetcher.fetch(&plan.command.uris, &plan.sandbox, account.as_ref()).await;
        fetched.map_err(|error| LaunchError::failed(error.to_string()))?;
        if let (Some((name, force)), Some((_, images))) = (&planned.image, &self.runtimes.images) {
            image::bring(images.as_ref(), name, *force).await?;
        }
        let (sandbox, seen, within) = (plan.sandbox.clone(), planned.seen.clone(), planned.within);
        on_disk(move || {
            if within != command::Within::Host {
                folders::make_output(&sandbox)?;
            }
            folders::make_seen(&sandbox, &seen, within, account.as_ref())
        })
        .await
    }

    async fn start(
        &self,
        runtime: &Arc<dyn Interactive>,
        planned: &Planned,
        mounts: Vec<Mount>,
    ) -> Result<Launched, LaunchError> {
        let failed = |error: RuntimeError| LaunchError::failed(format!("Failed to launch container: {error}"));
        let mut spec = planned.spec.clone();
        spec.mounts = mounts;
        runtime.create_sandbox(&planned.pod).await.map_err(failed)?;
        runtime.start(&planned.id, &spec).await.map_err(failed)?;
        let pod = runtime.status(&planned.id.pod).await.map_err(failed)?;
        let pod = pod.ok_or_else(|| LaunchError::failed("Failed to launch container: it is gone already"))?;
        let could_not_start = |container: &ContainerStatus| {
            end::ended(container).filter(|end| end.reason == Some(crate::wire::Reason::ContainerLaunchFailed))
        };
        if let Some(end) = pod.latest(&planned.id.name).and_then(could_not_start) {
            return Err(LaunchError::failed(end.message));
        }
        launched(&pod).ok_or_else(|| LaunchError::failed("Failed to launch container: it is gone already"))
    }

    /// How it runs, or ran; none if it is not known.
    pub async fn find(&self, id: &str) -> Option<Launched> {
        let uid = id.parse().ok()?;
        loop {
            match self.found(&uid).await {
                Ok(found) => return launched(&found?.1),
                Err(error) => tracing::warn!(id, %error, "it is not known whether a container runs"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Waits for its end. One that is not known has ended.
    pub async fn ended(&self, id: &str) -> Ended {
        let Ok(uid) = id.parse::<PodUid>() else { return end::lost() };
        loop {
            // Listened to before it is looked: what happens in between is not missed.
            let events: Vec<_> = self.runtimes.all().map(|runtime| runtime.events()).collect();
            let mut here = self.ended_here.subscribe();
            let mut patience = LOOK;
            match self.found(&uid).await {
                Ok(None) => return end::lost(),
                Ok(Some((_, pod))) => match pod.containers.last().map(end::ended) {
                    None => return end::lost(),
                    Some(None) => {}
                    Some(Some(end)) => {
                        self.beside.end(&uid).await;
                        return end;
                    }
                },
                Err(error) => {
                    tracing::warn!(id, %error, "it is not known whether a container runs");
                    patience = RETRY;
                }
            }
            let told = futures::stream::select_all(events);
            let about_it = told.filter(|changed| std::future::ready(*changed == uid));
            futures::pin_mut!(about_it);
            tokio::select! {
                biased;
                Some(_) = about_it.next() => {}
                _ = here.changed() => {}
                () = tokio::time::sleep(patience) => {}
            }
        }
    }

    /// Asks it to end, and kills it after `grace`. Returns when it has ended.
    pub async fn kill(&self, id: &str, grace: Duration) {
        if let Ok(uid) = id.parse::<PodUid>() {
            self.stop(id, &uid, grace).await;
        }
        self.ended_here.send_modify(|count| *count += 1);
    }

    async fn stop(&self, id: &str, uid: &PodUid, grace: Duration) {
        loop {
            let stopped = match self.found(uid).await {
                Ok(None) => return,
                Ok(Some((runtime, pod))) => match pod.containers.last() {
                    Some(container) if container.state.is_running() => runtime.stop(&container.id, grace).await,
                    _ => return,
                },
                Err(error) => Err(error),
            };
            match stopped {
                Ok(()) | Err(RuntimeError::NoSuchContainer { .. }) => return,
                Err(error) => tracing::warn!(id, %error, "a container could not be ended yet"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Runs a command beside it.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub async fn exec(&self, id: &str, command: &[String], timeout: Duration) -> Result<ExecOutput, String> {
        let uid = id.parse().map_err(|error| format!("{error}"))?;
        let found = self.found(&uid).await.map_err(|error| error.to_string())?;
        let (runtime, pod) = found.ok_or_else(|| format!("there is no container {id}"))?;
        let container = pod.containers.last().ok_or_else(|| format!("container {id} was not started"))?;
        runtime.exec(&container.id, command, timeout).await.map_err(|error| error.to_string())
    }

    /// What it uses; none if that is not known.
    pub async fn stats(&self, id: &str) -> Option<PodStats> {
        let uid = id.parse().ok()?;
        let (runtime, _) = self.found(&uid).await.ok().flatten()?;
        runtime.stats(&uid).await.ok().flatten()
    }

    /// A command beside it, with input and output as they come.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub async fn open_exec(&self, id: &str, request: &ExecRequest) -> Result<Session, String> {
        let uid = id.parse().map_err(|error| format!("{error}"))?;
        let found = self.found(&uid).await.map_err(|error| error.to_string())?;
        let (runtime, pod) = found.ok_or_else(|| format!("there is no container {id}"))?;
        let container = pod.containers.last().ok_or_else(|| format!("container {id} was not started"))?;
        runtime.open_exec(&container.id, request).await.map_err(|error| error.to_string())
    }

    /// Forgets it, killing what still runs. Its sandbox stays.
    pub async fn remove(&self, id: &str) {
        let Ok(uid) = id.parse::<PodUid>() else { return };
        self.beside.stop(&uid);
        for runtime in self.runtimes.all() {
            while let Err(error) = runtime.remove(&uid).await {
                tracing::warn!(id, %error, "something of a container is left");
                if !error.is_transient() {
                    break;
                }
                tokio::time::sleep(RETRY).await;
            }
        }
        self.ended_here.send_modify(|count| *count += 1);
    }

    /// The ids of all that are known, running or ended, until they are removed: after a restart of the agent, what is
    /// left of before.
    pub async fn known(&self) -> Vec<String> {
        self.listed(|_| true).await
    }

    /// The ids of those that run.
    pub async fn running(&self) -> Vec<String> {
        self.listed(|pod| pod.containers.iter().any(|container| container.state.is_running())).await
    }

    async fn listed(&self, is_wanted: impl Fn(&SandboxStatus) -> bool) -> Vec<String> {
        let mut ids = Vec::new();
        for runtime in self.runtimes.all() {
            match runtime.list().await {
                Ok(pods) => ids.extend(pods.iter().filter(|pod| is_wanted(pod)).map(|pod| pod.spec.pod.to_string())),
                Err(error) => tracing::warn!(%error, "not all containers are known"),
            }
        }
        ids
    }

    async fn found(&self, uid: &PodUid) -> Result<Option<(Arc<dyn Interactive>, SandboxStatus)>, RuntimeError> {
        for runtime in self.runtimes.all() {
            if let Some(pod) = runtime.status(uid).await? {
                return Ok(Some((Arc::clone(runtime), pod)));
            }
        }
        Ok(None)
    }

    fn runtime_for(&self, planned: &Planned) -> Arc<dyn Interactive> {
        let images = self.runtimes.images.as_ref().filter(|_| planned.image.is_some());
        Arc::clone(images.map_or(&self.runtimes.host, |(runtime, _)| runtime))
    }
}

fn launched(pod: &SandboxStatus) -> Option<Launched> {
    let container = pod.containers.last()?;
    let (ContainerState::Running { started_at } | ContainerState::Exited { started_at, .. }) = container.state;
    Some(Launched {
        pid: container.process,
        ip: pod.ip.filter(|_| !pod.spec.host_network),
        started_at: Some(started_at),
    })
}

/// Works on the disk, where waiting is allowed.
async fn on_disk<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, LaunchError> + Send + 'static,
) -> Result<T, LaunchError> {
    let joined = tokio::task::spawn_blocking(act).await;
    joined.unwrap_or_else(|error| Err(LaunchError::failed(format!("the agent failed: {error}"))))
}
