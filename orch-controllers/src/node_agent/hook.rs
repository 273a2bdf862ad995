//! [`Hook`]: what is done in a container after its start and before its end.

use std::net::IpAddr;
use std::time::Duration;

use orch_core::object::{Container, LifecycleHandler, Probe};
use orch_core::runtime::{ContainerId, Runtime};

use super::probe::{Inquiry, ProbeId, ProbeKind, Question};
use super::prober;

/// A hook, with everything that it takes to run it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hook {
    id: ContainerId,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Ask(Question),
    Sleep(Duration),
}

impl Hook {
    pub(super) fn new(id: &ContainerId, handler: &LifecycleHandler, container: &Container, pod_ip: IpAddr) -> Self {
        let what = match &handler.sleep {
            Some(sleep) => What::Sleep(Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0))),
            None => {
                let asked = Probe {
                    exec: handler.exec.clone(),
                    http_get: handler.http_get.clone(),
                    tcp_socket: handler.tcp_socket.clone(),
                    ..Probe::default()
                };
                What::Ask(Question::of(&asked, container, pod_ip))
            }
        };
        Self { id: id.clone(), what }
    }

    /// Runs it, for at most this long. A container that ended meanwhile has no use for its hook: that is no failure.
    ///
    /// # Errors
    /// What went wrong, for people.
    pub(super) async fn run(&self, runtime: &dyn Runtime, within: Duration) -> Result<(), String> {
        match &self.what {
            What::Sleep(span) => {
                tokio::time::sleep((*span).min(within)).await;
                Ok(())
            }
            What::Ask(question) => {
                let inquiry = Inquiry {
                    id: ProbeId { container: self.id.clone(), kind: ProbeKind::Liveness },
                    question: question.clone(),
                    delay: Duration::ZERO,
                    period: within,
                    timeout: within,
                    success_threshold: 1,
                    failure_threshold: 1,
                };
                prober::answer(runtime, &inquiry).await.unwrap_or(Ok(()))
            }
        }
    }
}
