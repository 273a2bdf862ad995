//! The files of pods that are on the node and not in an image. The contract is [`orch_core::runtime::Volumes`].
//!
//! | type | a volume is |
//! |---|---|
//! | [`FakeVolumes`] | an entry in memory |
//! | [`NodeVolumes`] | a folder of this machine, or a tmpfs; Linux |

mod checked;
mod fake;
#[cfg(target_os = "linux")]
mod node;

pub use fake::{FakeVolumes, NodeFile};
#[cfg(target_os = "linux")]
pub use node::{NodeVolumes, NodeVolumesConfig};
