//! [`RuntimeError`].

use std::error::Error;

use super::{ContainerId, ImageName, PodUid};

/// Why a runtime could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// There is no sandbox of that pod, or what it was made of is gone: create it first.
    #[error("pod {pod} has no sandbox on this node: create it first")]
    NoSuchPod {
        /// Which pod.
        pod: PodUid,
    },
    /// There is no such attempt, or it does not run and would have to.
    #[error("container {id} is not known, or does not run")]
    NoSuchContainer {
        /// Which attempt.
        id: ContainerId,
    },
    /// An attempt of that container still runs.
    #[error("container {id} still runs: stop it first")]
    StillRunning {
        /// The attempt that runs.
        id: ContainerId,
    },
    /// A later attempt was started, or the same one was, ended, and was removed.
    #[error("container {id} was started before: only a later attempt can follow")]
    Superseded {
        /// The latest attempt that was started.
        id: ContainerId,
    },
    /// The image of the container is not on this node.
    #[error("image {image} is not on this node: pull it first")]
    NoSuchImage {
        /// Which image.
        image: ImageName,
    },
    /// Nothing in the pod listens on that port.
    #[error("pod {pod} accepts no connection on port {port}: {message}")]
    Refused {
        /// The pod.
        pod: PodUid,
        /// The port.
        port: u16,
        /// What the network says.
        message: String,
    },
    /// The command to run beside the container does not exist.
    #[error("cannot run {command:?}: {message}")]
    CommandNotFound {
        /// The program.
        command: String,
        /// Why, and what to do.
        message: String,
    },
    /// The command took longer than it may, and was killed.
    #[error("the command did not end within its time and was killed")]
    TimedOut,
    /// Something that the runtime hands out is used up.
    #[error("no {what} left: {message}")]
    Exhausted {
        /// What: `pod address`.
        what: &'static str,
        /// What to do.
        message: String,
    },
    /// The runtime does not answer, or not as it should.
    #[error("the runtime is unavailable: {message}")]
    Unavailable {
        /// What happened, and what to look at.
        message: String,
        /// Whether trying again may help without anything being changed.
        transient: bool,
        /// The backend's own error.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl RuntimeError {
    /// Whether the same request may succeed later without anything being changed by the caller.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { transient, .. } => *transient,
            Self::StillRunning { .. } | Self::NoSuchImage { .. } | Self::TimedOut | Self::Exhausted { .. } => true,
            _ => false,
        }
    }
}
