//! Making the sandbox of a pod.

use std::sync::Arc;

use futures::{TryStreamExt as _, stream};
use http::StatusCode;
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::runtime::{RuntimeError, SandboxSpec, SandboxStatus};

use super::client::Call;
use super::convert::{self, Role};
use super::error::Failure;
use super::ledger::{AttemptRecord, PodRecord};
use super::pods::Hold;
use super::{Shared, wire};
use crate::sandbox_image;

pub(super) async fn create(shared: Arc<Shared>, spec: SandboxSpec) -> Result<SandboxStatus, RuntimeError> {
    let hold = shared.pods.hold(&spec.pod).await;
    let result = shared.make_sandbox(&hold, &spec).await;
    shared.pods.release(hold);
    result?;
    let status = shared.statuses(Some(&spec.pod)).await?.pop();
    status.ok_or(RuntimeError::NoSuchPod { pod: spec.pod })
}

impl Shared {
    async fn make_sandbox(&self, hold: &Hold, spec: &SandboxSpec) -> Result<(), RuntimeError> {
        let record = match self.record_or_adopt(hold).await? {
            Some(record) => record,
            None => {
                let record = PodRecord::new(spec.clone(), SystemClock.now());
                hold.write(record.clone()).await?;
                record
            }
        };
        let made = self.run_sandbox(&record).await;
        if made.is_err() && record.containers.is_empty() && self.find_all(Some(&spec.pod)).await?.is_empty() {
            // Nobody was told that it is there, and nothing of it is.
            self.give_back(&spec.pod).await?;
            hold.remove().await?;
        }
        made
    }

    async fn run_sandbox(&self, record: &PodRecord) -> Result<(), RuntimeError> {
        let pod = &record.spec.pod;
        if let Some(sandbox) = self.find_sandbox(pod).await? {
            if sandbox.running && self.is_joined(&sandbox).await? {
                return Ok(());
            }
            self.nothing_runs(record).await?;
            if sandbox.running {
                return self.join(&sandbox).await;
            }
            self.delete(&sandbox.docker_id).await?;
        } else {
            self.nothing_runs(record).await?;
        }
        let name = self.config.scope.sandbox(pod);
        let container = convert::sandbox(&self.config, &record.spec, self.address(&record.spec).await?);
        let create =
            || -> Result<Call, Failure> { Call::post("/containers/create").query("name", &name).json(&container) };
        let created: Result<wire::Created, Failure> = self.client.ask(create()?).await;
        let created = match created {
            Err(failure) if failure.is_not_found() && failure.message.contains("No such image") => {
                self.load_sandbox_image().await?;
                self.client.ask::<wire::Created>(create()?).await?
            }
            result => result?,
        };
        let started = self.client.tell(Call::post(format!("/containers/{}/start", created.id))).await;
        if let Err(failure) = started {
            self.delete(&created.id).await?;
            return Err(failure.into());
        }
        match self.find_sandbox(pod).await?.filter(|sandbox| sandbox.own_ip.is_some()) {
            Some(sandbox) => self.join(&sandbox).await,
            None => Ok(()),
        }
    }

    /// A sandbox is not made anew beside containers that still use what is left of the old one.
    async fn nothing_runs(&self, record: &PodRecord) -> Result<(), RuntimeError> {
        let found = self.find_all(Some(&record.spec.pod)).await?;
        let running = found.into_iter().filter(|found| found.running).find_map(|found| match found.role {
            Role::Attempt(status) => Some(status.id),
            Role::Sandbox { .. } => None,
        });
        running.map_or(Ok(()), |id| Err(RuntimeError::StillRunning { id }))
    }

    async fn load_sandbox_image(&self) -> Result<(), Failure> {
        let archive = stream::iter([Ok(sandbox_image::archive().into())]);
        let call = Call::post("/images/load").query("quiet", "1").tar(archive);
        let mut said = self.client.objects::<wire::Progress>(call).await?;
        while let Some(progress) = said.try_next().await? {
            if !progress.error.is_empty() {
                let message = format!("Docker does not take the image of sandboxes: {}", progress.error);
                return Err(Failure::of_status(StatusCode::INTERNAL_SERVER_ERROR, message));
            }
        }
        Ok(())
    }

    /// The record of a pod. If there is none, because the root folder was lost, it is made of what Docker has.
    pub(super) async fn record_or_adopt(&self, hold: &Hold) -> Result<Option<PodRecord>, RuntimeError> {
        if let Some(record) = hold.record() {
            return Ok(Some(record));
        }
        let mut record = None;
        for found in self.find_all(Some(hold.uid())).await? {
            let record = record.get_or_insert_with(|| PodRecord::new(found.sandbox.clone(), found.created_at));
            record.created_at = record.created_at.min(found.created_at);
            if let (Role::Attempt(status), true) = (found.role, found.was_started) {
                let attempt = AttemptRecord { spec: status.spec, at: found.created_at, failure: None };
                record.insert(&status.id, attempt);
            }
        }
        if let Some(record) = &record {
            hold.write(record.clone()).await?;
        }
        Ok(record)
    }

    /// Takes over what is not on record, as after the root folder was lost.
    pub(super) async fn adopt_all(&self) -> Result<(), RuntimeError> {
        let records = self.pods.records(None);
        let found = self.find_all(None).await?;
        let unknown = found.iter().map(|found| &found.sandbox.pod).filter(|pod| !records.contains_key(*pod));
        for pod in unknown.collect::<std::collections::BTreeSet<_>>() {
            let hold = self.pods.hold(pod).await;
            self.record_or_adopt(&hold).await?;
            self.pods.release(hold);
        }
        Ok(())
    }
}
