//! `k8s-like node`: one node, of a cluster or by itself.

mod address;
mod docker_firewall;
mod leave;
mod member;
mod network;
mod register;
mod static_pods;

use std::process::ExitCode;

pub(crate) use self::address::AddressError;
pub(crate) use self::network::{PodNetworkChoiceError, PodNetworkKind};
pub(crate) use self::register::RegisterError;
use crate::cli::Node;
use crate::lifetime::failed;

/// Runs until Ctrl-C or SIGTERM.
pub(crate) async fn node(options: Node) -> ExitCode {
    let Node { member, static_pods, pods } = options;
    match (member, static_pods) {
        (None, Some(folder)) => static_pods::static_pods(&folder, &pods).await,
        (Some(member), None) => member::member(&member, &pods).await,
        // The command line is refused before.
        _ => failed("choose either --name and --store, for a node of a cluster, or --static-pods, for a node alone"),
    }
}
