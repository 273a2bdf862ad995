//! Runtimes: run a pod's containers on one node. The contract is [`orch_core::runtime::Runtime`]. What
//! a node agent needs beside a runtime is in [`volumes`] and [`machine`]; how pods are connected, in [`pod_network`].
//!
//! | type | a container is |
//! |---|---|
//! | [`FakeRuntime`](fake::FakeRuntime) | an entry in memory that follows a script |
//! | [`ProcessRuntime`](process::ProcessRuntime) | a process group of this machine; Linux, no privileges, no daemon |
//! | `docker::DockerRuntime`, feature `docker` | a container of a Docker daemon on this machine; Linux, root |
//! | `containerd::ContainerdRuntime`, feature `containerd` | a container of a containerd on this machine; Linux, root |
#![forbid(unsafe_code)]

mod capability;
#[cfg(target_os = "linux")]
pub mod cgroup;
mod changes;
#[cfg(all(feature = "containerd", target_os = "linux"))]
pub mod containerd;
#[cfg(all(feature = "docker", target_os = "linux"))]
pub mod docker;
pub mod fake;
#[cfg(target_os = "linux")]
mod log_file;
pub mod machine;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
pub mod pod_network;
#[cfg(target_os = "linux")]
pub mod process;
#[cfg(target_os = "linux")]
mod record_file;
#[cfg(all(feature = "docker", target_os = "linux"))]
mod sandbox_image;
mod session;
pub mod volumes;

#[cfg(all(feature = "containerd", target_os = "linux"))]
pub use containerd::ContainerdRuntime;
#[cfg(all(feature = "docker", target_os = "linux"))]
pub use docker::DockerRuntime;

#[cfg(doctest)]
#[doc = include_str!("../../docs/guides/runtime.md")]
struct Guide;
