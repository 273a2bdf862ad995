//! What a node has, and how much of it is used. The contract is [`orch_core::runtime::Machine`].
//!
//! | type | a machine is |
//! |---|---|
//! | [`FakeMachine`] | what a test says |
//! | [`LinuxMachine`] | the one that this process runs on, or the part of it that its cgroup may use |

mod fake;
#[cfg(target_os = "linux")]
mod linux;

pub use fake::FakeMachine;
#[cfg(target_os = "linux")]
pub use linux::{LinuxMachine, LinuxMachineConfig};
