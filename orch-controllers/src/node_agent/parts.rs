//! [`NodeParts`]: what an agent works with on its node.

use std::sync::Arc;

use orch_core::runtime::{Images, Machine, Runtime, Volumes};

/// What an agent works with on its node. All fields are public: start from [`new`](Self::new) and add what there is.
#[derive(Clone, Debug)]
pub struct NodeParts {
    /// What runs containers.
    pub runtime: Arc<dyn Runtime>,
    /// The images that the runtime starts containers from. Without it containers need none, as plain processes do.
    pub images: Option<Arc<dyn Images>>,
    /// Where the files of pods are. Without it a pod that has volumes does not start, and says why.
    pub volumes: Option<Arc<dyn Volumes>>,
    /// What the node has. Without it the node has what its configuration says, and is never short of anything.
    pub machine: Option<Arc<dyn Machine>>,
}

impl NodeParts {
    /// A runtime, and nothing else.
    #[must_use]
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self { runtime, images: None, volumes: None, machine: None }
    }
}

impl From<Arc<dyn Runtime>> for NodeParts {
    fn from(runtime: Arc<dyn Runtime>) -> Self {
        Self::new(runtime)
    }
}

impl<R: Runtime> From<Arc<R>> for NodeParts {
    fn from(runtime: Arc<R>) -> Self {
        Self::new(runtime)
    }
}
