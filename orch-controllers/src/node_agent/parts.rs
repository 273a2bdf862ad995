//! [`NodeParts`]: what an agent works with.

use std::sync::Arc;

use orch_core::runtime::{Images, Machine, Runtime, Volumes};

/// What an agent works with on its node. All fields are public: start from [`new`](Self::new) and set what there is.
#[derive(Clone, Debug)]
pub struct NodeParts {
    /// What runs containers.
    pub runtime: Arc<dyn Runtime>,
    /// The images that containers are started from. Without it they are started as they are, from none: plain
    /// processes.
    pub images: Option<Arc<dyn Images>>,
    /// What makes the volumes of pods. Without it, a pod that has volumes is told that it can have none here.
    pub volumes: Option<Arc<dyn Volumes>>,
    /// What the node has. Without it the node has what its configuration says, and is never short of anything; and how
    /// the node itself finds names is left to the runtime.
    pub machine: Option<Arc<dyn Machine>>,
}

impl NodeParts {
    /// A node that runs containers, without images and volumes, and that is not measured.
    #[must_use]
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self { runtime, images: None, volumes: None, machine: None }
    }
}
