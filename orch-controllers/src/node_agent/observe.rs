//! [`found`]: what there is to know about one pod before anything is decided about it.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::controller::ControllerError;
use orch_core::object::Pod;
use orch_core::runtime::{ImageName, PodUid, SandboxDns, SandboxStatus};

use super::NodeAgentConfig;
use super::attempts::Attempts;
use super::background::lock;
use super::effect::Hands;
use super::environment::image;
use super::plan::{Found, ImageFound};
use super::puller::Puller;
use super::references::References;
use super::termination_message;

/// What is known about a pod in the memory of the agent, and if it is to run, what the store and the node tell.
pub(super) async fn found(
    pod: &Pod,
    uid: &PodUid,
    sandbox: Option<&SandboxStatus>,
    config: &NodeAgentConfig,
    hands: &Hands,
) -> Result<Found, ControllerError> {
    let mut found = Found {
        verdicts: hands.prober.verdicts(uid),
        hooks: hands.hooks.states(uid),
        pulls: hands.puller.as_ref().map(|puller| puller.states(uid)).unwrap_or_default(),
        troubles: hands.troubles.of(uid),
        volumes: hands.volumes.as_ref().map(|_| lock(&hands.made).get(uid).cloned().unwrap_or_default()),
        ..Found::default()
    };
    if let Some(sandbox) = sandbox {
        found.messages = termination_message::read(pod, sandbox, &config.container_id_prefix, hands).await;
    }
    if pod.metadata.is_deleting() || pod.status.phase().is_terminal() {
        return Ok(found);
    }
    if !sandbox.is_some_and(|sandbox| sandbox.ready) {
        found.node_dns = node_dns(hands).await;
    }
    found.references = References::read(pod, &*hands.store).await?;
    if let Some(puller) = &hands.puller {
        found.images = Some(images(pod, sandbox, puller).await);
    }
    Ok(found)
}

/// How the node finds names, if that can be known.
async fn node_dns(hands: &Hands) -> Option<SandboxDns> {
    let dns = hands.machine.as_ref()?.resolver().await;
    dns.inspect_err(|error| tracing::warn!(%error, "it is left to the runtime how pods find the names of the node"))
        .ok()
}

/// What is known of the images of containers that do not run.
async fn images(pod: &Pod, sandbox: Option<&SandboxStatus>, puller: &Puller) -> BTreeMap<ImageName, ImageFound> {
    let attempts = Attempts::of_init(pod, sandbox).into_iter().chain(Attempts::of(pod, sandbox));
    let resting = attempts.filter(|attempts| !attempts.runs());
    let names: BTreeSet<ImageName> = resting.filter_map(|attempts| image(attempts.container)?.ok()).collect();
    let mut images = BTreeMap::new();
    for name in names {
        let found = match puller.images().find(&name).await {
            Ok(Some(_)) => ImageFound::Present,
            Ok(None) => ImageFound::Absent,
            Err(error) => ImageFound::Unknown(error.to_string()),
        };
        images.insert(name, found);
    }
    images
}
