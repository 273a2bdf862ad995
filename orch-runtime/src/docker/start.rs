//! Starting an attempt: its container is made, then it is written down that it is started, then it is.

use std::sync::Arc;

use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{ContainerId, ContainerSpec, ImageName, RuntimeError};

use super::client::Call;
use super::convert::{self, Around, Found};
use super::error::Failure;
use super::ledger::{AttemptRecord, PodRecord};
use super::pods::Hold;
use super::{Shared, wire};

/// Starts an attempt, unless it was started before. Runs to its end even if the caller does not wait for it.
pub(super) async fn start(shared: Arc<Shared>, id: ContainerId, spec: ContainerSpec) -> Result<(), RuntimeError> {
    let hold = shared.pods.hold(&id.pod).await;
    let result = shared.start(&hold, &id, spec).await;
    shared.pods.release(hold);
    result
}

impl Shared {
    async fn start(&self, hold: &Hold, id: &ContainerId, spec: ContainerSpec) -> Result<(), RuntimeError> {
        let no_such_pod = || RuntimeError::NoSuchPod { pod: id.pod.clone() };
        let record = self.record_or_adopt(hold).await?.ok_or_else(no_such_pod)?;
        if record.attempt(id).is_some_and(|attempt| attempt.failure.is_some()) {
            return Ok(());
        }
        let found = self.find_attempt(id).await?;
        match (record.attempt(id), found) {
            // Its container was removed by others: it was started, and has ended.
            (Some(_), None) => Ok(()),
            (_, Some(found)) if found.was_started => return self.note_started(hold, record, id, found).await,
            // It was about to be started when somebody was killed: it may even be on its way.
            (Some(_), Some(found)) => {
                self.ready_sandbox(id).await?;
                return self.run(hold, record, id, &found.docker_id).await;
            }
            (None, found) => {
                if let Some(latest) = record.latest(id).filter(|latest| latest.attempt >= id.attempt) {
                    return Err(RuntimeError::Superseded { id: latest });
                }
                let sandbox = self.ready_sandbox(id).await?;
                self.no_other_runs(&record, id).await?;
                // Nothing was ever told to start it, and it may be of another spec.
                if let Some(left_over) = found {
                    self.delete(&left_over.docker_id).await?;
                }
                self.make(hold, record, id, spec, &sandbox).await
            }
        }
    }

    async fn ready_sandbox(&self, id: &ContainerId) -> Result<Found, RuntimeError> {
        let found = self.only_joined(self.find_sandbox(&id.pod).await?.into_iter().collect()).await?;
        let sandbox = found.into_iter().find(|sandbox| sandbox.running);
        sandbox.ok_or_else(|| RuntimeError::NoSuchPod { pod: id.pod.clone() })
    }

    async fn no_other_runs(&self, record: &PodRecord, id: &ContainerId) -> Result<(), RuntimeError> {
        for (other, attempt) in record.attempts() {
            let may_run = other.name == id.name && other != *id && attempt.failure.is_none();
            if may_run && self.find_attempt(&other).await?.is_some_and(|found| found.running) {
                return Err(RuntimeError::StillRunning { id: other });
            }
        }
        Ok(())
    }

    /// It was started, and that is not on record only if the folder of records was lost or replaced.
    async fn note_started(
        &self,
        hold: &Hold,
        mut record: PodRecord,
        id: &ContainerId,
        found: Found,
    ) -> Result<(), RuntimeError> {
        if record.attempt(id).is_none()
            && let convert::Role::Attempt(status) = found.role
        {
            record.insert(id, AttemptRecord { spec: status.spec, at: found.created_at, failure: None });
            hold.write(record).await?;
        }
        Ok(())
    }

    async fn make(
        &self,
        hold: &Hold,
        mut record: PodRecord,
        id: &ContainerId,
        spec: ContainerSpec,
        sandbox: &Found,
    ) -> Result<(), RuntimeError> {
        let image_user = self.image_user(&spec).await?;
        let resolver = hold.resolver(&record.spec).await?;
        let around = Around { pod: &record.spec, sandbox: &sandbox.docker_id, resolver: resolver.as_deref() };
        let container = convert::container(&self.config, around, id, &spec, &image_user);
        let at = SystemClock.now();
        let created = match container {
            Ok(container) => self.create(id, &container).await,
            Err(message) => {
                record.insert(id, AttemptRecord { spec, at, failure: Some(message) });
                return hold.write(record).await;
            }
        };
        match created {
            Ok(created) => {
                record.insert(id, AttemptRecord { spec, at, failure: None });
                hold.write(record.clone()).await?;
                self.run(hold, record, id, &created.id).await
            }
            Err(failure) if failure.is_not_found() && spec.image.is_some() => Err(no_such_image(spec.image, failure)),
            Err(failure) if failure.is_of_the_request() => {
                record.insert(id, AttemptRecord { spec, at, failure: Some(failure.message) });
                hold.write(record).await
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn create(&self, id: &ContainerId, container: &wire::NewContainer) -> Result<wire::Created, Failure> {
        let name = self.config.scope.container(id);
        self.client.ask(Call::post("/containers/create").query("name", name).json(container)?).await
    }

    /// Starts what was made and written down.
    async fn run(
        &self,
        hold: &Hold,
        mut record: PodRecord,
        id: &ContainerId,
        docker_id: &str,
    ) -> Result<(), RuntimeError> {
        let Err(failure) = self.client.tell(Call::post(format!("/containers/{docker_id}/start"))).await else {
            return Ok(());
        };
        // What its sandbox died of is not the program's fault; and it has not run.
        if failure.is_of_the_program() || failure.is_conflict() {
            self.ready_sandbox(id).await?;
        }
        if !failure.is_of_the_program() {
            return Err(failure.into());
        }
        if let Some(attempt) = record.attempt(id).cloned() {
            record.insert(id, AttemptRecord { failure: Some(failure.message), ..attempt });
            hold.write(record).await?;
        }
        self.delete(docker_id).await
    }

    /// Whom an image says that its program runs as, if that has to be known.
    async fn image_user(&self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        let privileges = &spec.privileges;
        let matters = privileges.user.is_none() && (privileges.non_root || privileges.group.is_some());
        let Some(image) = spec.image.as_ref().filter(|_| matters) else { return Ok(String::new()) };
        let call = Call::get(format!("/images/{}/json", convert::image_reference(image)));
        match self.client.find::<wire::Image>(call).await? {
            Some(found) => Ok(found.config.map(|config| config.user).unwrap_or_default()),
            None => Err(RuntimeError::NoSuchImage { image: image.clone() }),
        }
    }
}

fn no_such_image(image: Option<ImageName>, failure: Failure) -> RuntimeError {
    match image {
        Some(image) if failure.message.contains("No such image") => RuntimeError::NoSuchImage { image },
        _ => failure.into(),
    }
}
