//! The network of pods where it is not Docker's: sandboxes are made without one, and joined to a bridge.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use orch_core::runtime::{PodUid, RuntimeError, SandboxSpec};

use super::Shared;
use super::convert::{Found, Role};

impl Shared {
    /// The address of a pod that is to be joined to a bridge.
    pub(super) async fn address(&self, spec: &SandboxSpec) -> Result<Option<Ipv4Addr>, RuntimeError> {
        match self.network.as_ref().filter(|_| !spec.host_network) {
            Some(network) => Ok(Some(network.addresses().await?.give(&spec.pod).await?)),
            None => Ok(None),
        }
    }

    /// What is on record is so, whatever was written down of addresses.
    pub(super) async fn settle_addresses(&self) -> Result<(), RuntimeError> {
        let Some(network) = &self.network else { return Ok(()) };
        let mut pods: BTreeMap<PodUid, Option<Ipv4Addr>> =
            self.pods.records(None).into_keys().map(|pod| (pod, None)).collect();
        for found in self.find_all(None).await? {
            if let (Role::Sandbox { .. }, Some(ip)) = (found.role, found.own_ip) {
                pods.insert(found.sandbox.pod, Some(ip));
            }
        }
        network.addresses().await?.settle(&pods).await
    }

    /// Tells sandboxes that are to be joined and are not as those that do not run.
    pub(super) async fn only_joined(&self, mut found: Vec<Found>) -> Result<Vec<Found>, RuntimeError> {
        let Some(network) = &self.network else { return Ok(found) };
        let joined = network.joined().await?;
        for found in found.iter_mut().filter(|found| found.running && is_to_be_joined(found)) {
            let is_joined = |pid| network.is_joined(&joined, &found.sandbox.pod, &namespace(pid));
            found.running = found.pid.is_some_and(is_joined);
        }
        Ok(found)
    }

    /// Whether what a sandbox is to be joined to it is joined to.
    pub(super) async fn is_joined(&self, sandbox: &Found) -> Result<bool, RuntimeError> {
        let found = self.only_joined(vec![sandbox.clone()]).await?;
        Ok(found.iter().all(|found| found.running))
    }

    /// Joins a sandbox that runs.
    pub(super) async fn join(&self, sandbox: &Found) -> Result<(), RuntimeError> {
        let pod = &sandbox.sandbox.pod;
        let (Some(network), Some(ip)) = (&self.network, sandbox.own_ip) else { return Ok(()) };
        let ended = || {
            let message = format!("the sandbox of pod {pod} has ended: see Docker's log");
            RuntimeError::Unavailable { message, transient: true, source: None }
        };
        let pid = sandbox.pid.ok_or_else(ended)?;
        let net = File::open(namespace(pid)).map_err(|error| {
            let message = format!("cannot see the network of the sandbox of pod {pod}, process {pid}: {error}");
            RuntimeError::Unavailable { message, transient: true, source: Some(Box::new(error)) }
        })?;
        // The number of a process that has ended may be another's by now.
        if self.find_sandbox(pod).await?.and_then(|sandbox| sandbox.pid) != Some(pid) {
            return Err(ended());
        }
        network.join(pod, &net, ip).await
    }

    /// Takes a pod out of the network; its address rests from now on.
    pub(super) async fn give_back(&self, pod: &PodUid) -> Result<(), RuntimeError> {
        let Some(network) = &self.network else { return Ok(()) };
        network.leave(pod).await?;
        network.addresses().await?.give_back(pod).await
    }

    /// Removes what pods share, if there is none.
    pub(super) async fn close_network(&self) -> Result<(), RuntimeError> {
        let Some(network) = &self.network else { return Ok(()) };
        // A pod that comes meanwhile is written down before it gets its address.
        let _nobody_comes = network.addresses().await?;
        if self.pods.records(None).is_empty() { network.close().await } else { Ok(()) }
    }
}

fn is_to_be_joined(found: &Found) -> bool {
    matches!(found.role, Role::Sandbox { .. }) && found.own_ip.is_some()
}

/// The network namespace of a process.
fn namespace(pid: u32) -> PathBuf {
    format!("/proc/{pid}/ns/net").into()
}
