//! [`StartError`], [`StopError`]: why something did not begin, or did not end.

use std::path::PathBuf;

use orch_controllers::engine::EngineError;
use orch_controllers::pod_cidr::PodCidrConfigError;
use orch_controllers::service_address::AllocatorConfigError;
use orch_controllers::static_pods::PodSourceError;
use orch_core::client::ClientError;
use orch_core::key::KeyError;
use orch_core::network::Cidr;
use orch_core::runtime::RuntimeError;
use orch_core::store::StoreError;

use crate::api::ServeError;
use crate::charter::CharterError;
use crate::node::{AddressError, PodNetworkChoiceError, RegisterError};
use crate::proxy::{ProxyChoiceError, ProxyOpenError};
use crate::routes::RoutesOpenError;
use crate::runtimes::{ImportError, OpenError};
use crate::store::{StoreChoice, StoreOpenError};
use crate::tenancy::{TenancyError, TenantRecord};

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StartError {
    /// The runtimes of the nodes.
    #[error(transparent)]
    Runtimes(#[from] OpenError),
    /// What answers people.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The images.
    #[error(transparent)]
    Import(Box<ImportError>),
    /// The folder of static pods.
    #[error("{}: {error}; a folder without manifests is enough to start with", path.display())]
    Folder { path: PathBuf, error: PodSourceError },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreOpenError),
    /// A store that no other process could see.
    #[error(
        "--store {0} is of one process alone, and control planes and nodes share theirs: choose \
         etcd://HOST:PORT[,HOST:PORT…][/PREFIX], or `k8s-like up` for all in one process"
    )]
    NotShared(StoreChoice),
    /// What the processes of a cluster agree on.
    #[error(transparent)]
    Charter(#[from] CharterError),
    /// The ranges of pods.
    #[error("--pod-cidr: {0}")]
    PodRanges(#[from] PodCidrConfigError),
    /// Ranges that no runtime can use.
    #[error(
        "--pod-cidr {range} in parts of --node-cidr-bits {bits}: the pods of a node have IPv4 addresses, of a range of 8 to 29 \
         bits"
    )]
    NodeBits { range: Cidr, bits: u8 },
    /// The node's own address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The node's object.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The network of pods cannot be had.
    #[error(transparent)]
    PodNetwork(#[from] PodNetworkChoiceError),
    /// The link to other nodes.
    #[error("cannot ask the kernel how large packets of this machine may be: {0}")]
    Link(std::io::Error),
    /// Routes to pods.
    #[error(transparent)]
    Routes(#[from] RoutesOpenError),
    /// The proxy cannot be had.
    #[error(transparent)]
    ProxyChoice(#[from] ProxyChoiceError),
    /// The proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyOpenError),
    /// The state folder and the store do not belong together.
    #[error(transparent)]
    Tenancy(#[from] TenancyError),
    /// What runs from the state folder belongs to another store, or to another node.
    #[error(
        "{running} pods still run from this state folder whose objects are in another store or of another node, {other}: \
         start {}, or choose another --state-dir; `k8s-like up --store memory` stops them",
        other.command()
    )]
    OtherTenant { running: usize, other: TenantRecord },
    /// What an earlier run left.
    #[error("cannot stop what an earlier run left: {0}")]
    Leftovers(RuntimeError),
    /// What gives services their addresses.
    #[error(transparent)]
    Services(#[from] AllocatorConfigError),
    /// The composition.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The name of a node.
    #[error(transparent)]
    Name(#[from] KeyError),
    /// The first objects.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What was read of them.
    #[error(transparent)]
    Read(#[from] StoreError),
}

impl From<ImportError> for StartError {
    fn from(error: ImportError) -> Self {
        Self::Import(Box::new(error))
    }
}

/// What could not be done when everything was stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StopError {
    /// A container still runs.
    #[error(transparent)]
    Container(RuntimeError),
    /// Everything is stopped, but the store was not told.
    #[error("everything is stopped, but not on record as such: {0}; start again from the same state folder")]
    Tenancy(TenancyError),
}
