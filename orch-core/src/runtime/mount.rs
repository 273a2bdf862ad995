//! [`Mount`]: a file or folder of the node that a container sees.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A file or folder of the node that a container sees at a place of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is on the node: an absolute path that exists. Whoever asks for the mount has checked that the pod may
    /// have it; a runtime does not.
    pub source: PathBuf,
    /// Where the container sees it: an absolute path. What the image has there is hidden.
    pub target: PathBuf,
    /// Whether the container may only read it.
    pub read_only: bool,
}
