//! What is to run: apps in groups, as people write them and as they are kept.

mod app;
mod container;
mod health;
mod id;
pub mod read;
mod selector;
mod strategy;
mod version;
pub mod write;

pub use app::{App, Constraint, Fetch, Operator, PortDefinition, VersionInfo};
pub use container::{
    Container, ContainerKind, Docker, Network, NetworkMode, Parameter, Persistent, PortMapping, Volume, VolumeMode,
};
pub use health::{CheckCommand, HealthCheck, HealthProtocol, ReadinessCheck, ReadinessProtocol};
pub use id::{AppId, AppIdError};
pub use selector::Selector;
pub use strategy::{Backoff, Disabled, KillSelection, Residency, TaskLost, Unreachable, UpgradeStrategy};
pub use version::Version;
