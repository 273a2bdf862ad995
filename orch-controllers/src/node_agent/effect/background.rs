//! What goes on in the background, and what people were told of.

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::controller::{ControllerError, Effect};
use orch_core::key::Key;
use orch_core::runtime::PodUid;

use super::super::hook::Hook;
use super::super::probe::Inquiry;
use super::super::pull::Pull;
use super::super::troubles::Subject;
use super::Hands;

/// Puts exactly these questions to a pod's containers from now on.
#[derive(Debug)]
pub(in crate::node_agent) struct AskContainers {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) key: Key,
    pub(in crate::node_agent) pod: PodUid,
    pub(in crate::node_agent) inquiries: Vec<Inquiry>,
}

#[async_trait]
impl Effect for AskContainers {
    async fn perform(&self) -> Result<(), ControllerError> {
        self.hands.prober.ask(&self.pod, &self.key, &self.inquiries);
        Ok(())
    }
}

/// Fetches exactly these images for a pod's containers from now on.
#[derive(Debug)]
pub(in crate::node_agent) struct PullImages {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) key: Key,
    pub(in crate::node_agent) pod: PodUid,
    pub(in crate::node_agent) pulls: Vec<Pull>,
}

#[async_trait]
impl Effect for PullImages {
    async fn perform(&self) -> Result<(), ControllerError> {
        if let Some(puller) = &self.hands.puller {
            puller.pull(&self.pod, &self.key, &self.pulls);
        }
        Ok(())
    }
}

/// Runs exactly these hooks of a pod's containers, each once.
#[derive(Debug)]
pub(in crate::node_agent) struct RunHooks {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) key: Key,
    pub(in crate::node_agent) pod: PodUid,
    pub(in crate::node_agent) hooks: Vec<Hook>,
}

#[async_trait]
impl Effect for RunHooks {
    async fn perform(&self) -> Result<(), ControllerError> {
        self.hands.hooks.run(&self.pod, &self.key, &self.hooks);
        Ok(())
    }
}

/// People were told of these troubles.
#[derive(Debug)]
pub(in crate::node_agent) struct Told {
    pub(in crate::node_agent) hands: Arc<Hands>,
    pub(in crate::node_agent) pod: PodUid,
    pub(in crate::node_agent) subjects: Vec<Subject>,
}

#[async_trait]
impl Effect for Told {
    async fn perform(&self) -> Result<(), ControllerError> {
        self.hands.troubles.told(&self.pod, &self.subjects);
        Ok(())
    }
}
