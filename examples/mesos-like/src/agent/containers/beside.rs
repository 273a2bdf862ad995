//! [`Attendance`]: what is done beside containers for as long as they run.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orch_core::runtime::{Interactive, PodUid};
use tokio::task::JoinSet;

use super::plan::Planned;
use super::{output, ports};

/// How long the rest of a container's output may take when it has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What is done beside containers for as long as they run: output is copied, and ports are listened on.
#[derive(Debug, Default)]
pub(super) struct Attendance(Mutex<BTreeMap<PodUid, Beside>>);

#[derive(Debug, Default)]
struct Beside {
    output: JoinSet<()>,
    ports: JoinSet<()>,
}

impl Attendance {
    /// Does what is to be done beside a container that runs, unless it is done already.
    pub(super) fn begin(
        &self,
        runtime: &Arc<dyn Interactive>,
        sandbox: PathBuf,
        planned: &Planned,
        ip: Option<IpAddr>,
    ) {
        let mut all = self.all();
        let std::collections::btree_map::Entry::Vacant(place) = all.entry(planned.id.pod.clone()) else { return };
        let mut beside = Beside::default();
        if planned.copy_output {
            beside.output.spawn(output::copy(Arc::clone(runtime), planned.id.clone(), sandbox));
        }
        if let Some(ip) = ip {
            for mapping in planned.ports.clone() {
                beside.ports.spawn(ports::lead(mapping, ip));
            }
        }
        place.insert(beside);
    }

    /// The container has ended: returns when its output is in its sandbox.
    pub(super) async fn end(&self, pod: &PodUid) {
        let Some(mut beside) = self.all().remove(pod) else { return };
        let copied = async { while beside.output.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_WORDS, copied).await.is_err() {
            tracing::warn!(%pod, "the last output of a container may be missing in its sandbox");
        }
    }

    /// Stops at once what is done beside a container.
    pub(super) fn stop(&self, pod: &PodUid) {
        self.all().remove(pod);
    }

    /// The same for all.
    pub(super) fn stop_all(&self) {
        self.all().clear();
    }

    /// A panic while the lock is held leaves nothing half done: every critical section is one step.
    fn all(&self) -> MutexGuard<'_, BTreeMap<PodUid, Beside>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
