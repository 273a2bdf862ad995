//! [`Pods`]: the records in memory, and who may change those of a pod.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_core::runtime::{PodUid, RuntimeError, SandboxSpec};
use tokio::sync::OwnedMutexGuard;

use super::error::panicked;
use super::ledger::{Ledger, PodRecord};

/// Every pod that there is a record of, or that somebody is busy with.
#[derive(Debug)]
pub(super) struct Pods {
    ledger: Arc<Ledger>,
    pods: Mutex<BTreeMap<PodUid, Arc<Pod>>>,
}

#[derive(Debug, Default)]
struct Pod {
    gate: Arc<tokio::sync::Mutex<()>>,
    /// As it is on disk.
    record: Mutex<Option<PodRecord>>,
}

/// Leave to change one pod: nobody else starts or removes something of it meanwhile.
#[derive(Debug)]
pub(super) struct Hold {
    ledger: Arc<Ledger>,
    uid: PodUid,
    pod: Arc<Pod>,
    _gate: OwnedMutexGuard<()>,
}

impl Pods {
    pub(super) fn new(ledger: Ledger, records: BTreeMap<PodUid, PodRecord>) -> Self {
        let pod = |record| Arc::new(Pod { record: Mutex::new(Some(record)), ..Pod::default() });
        let pods = records.into_iter().map(|(uid, record)| (uid, pod(record))).collect();
        Self { ledger: Arc::new(ledger), pods: Mutex::new(pods) }
    }

    /// The records of all pods, or of one.
    pub(super) fn records(&self, only: Option<&PodUid>) -> BTreeMap<PodUid, PodRecord> {
        let pods = lock(&self.pods);
        let wanted = pods.iter().filter(|(uid, _)| only.is_none_or(|only| only == *uid));
        wanted.filter_map(|(uid, pod)| Some((uid.clone(), lock(&pod.record).clone()?))).collect()
    }

    pub(super) fn record(&self, uid: &PodUid) -> Option<PodRecord> {
        self.records(Some(uid)).remove(uid)
    }

    /// Waits until one may change a pod.
    pub(super) async fn hold(&self, uid: &PodUid) -> Hold {
        loop {
            let pod = Arc::clone(lock(&self.pods).entry(uid.clone()).or_default());
            let gate = Arc::clone(&pod.gate).lock_owned().await;
            // It may have been removed meanwhile, and be in use again under another gate.
            if lock(&self.pods).get(uid).is_some_and(|found| Arc::ptr_eq(found, &pod)) {
                return Hold { ledger: Arc::clone(&self.ledger), uid: uid.clone(), pod, _gate: gate };
            }
        }
    }

    /// Forgets a pod if there is no record of it.
    pub(super) fn release(&self, hold: Hold) {
        let mut pods = lock(&self.pods);
        if hold.record().is_none() {
            pods.remove(&hold.uid);
        }
    }
}

impl Hold {
    pub(super) fn uid(&self) -> &PodUid {
        &self.uid
    }

    pub(super) fn record(&self) -> Option<PodRecord> {
        lock(&self.pod.record).clone()
    }

    /// Writes a record.
    pub(super) async fn write(&self, record: PodRecord) -> Result<(), RuntimeError> {
        let (ledger, written) = (Arc::clone(&self.ledger), record.clone());
        tokio::task::spawn_blocking(move || ledger.write(&written)).await.map_err(panicked)??;
        self.keep_in_memory(record);
        Ok(())
    }

    /// Changes the record without writing it: what is not written is found again.
    pub(super) fn keep_in_memory(&self, record: PodRecord) {
        *lock(&self.pod.record) = Some(record);
    }

    /// The file that the pod's containers see at `/etc/resolv.conf`, if the pod says what is in it.
    pub(super) async fn resolver(&self, spec: &SandboxSpec) -> Result<Option<PathBuf>, RuntimeError> {
        let Some(dns) = spec.dns.clone() else { return Ok(None) };
        let (ledger, uid) = (Arc::clone(&self.ledger), self.uid.clone());
        tokio::task::spawn_blocking(move || ledger.resolver(&uid, &dns).map(Some)).await.map_err(panicked)?
    }

    /// Removes the record.
    pub(super) async fn remove(&self) -> Result<(), RuntimeError> {
        let (ledger, uid) = (Arc::clone(&self.ledger), self.uid.clone());
        tokio::task::spawn_blocking(move || ledger.remove(&uid)).await.map_err(panicked)??;
        *lock(&self.pod.record) = None;
        Ok(())
    }
}

/// A panic while a lock is held leaves nothing half done: every critical section is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
