//! [`EtcdCluster`].

use std::time::Duration;

use futures::future::select_ok;
use tokio::time::{sleep, timeout};

use super::etcd::{self, Etcd, EtcdConfig};
use super::network::{Gate, Isolated, Network};

/// A real etcd of three members, each a process that can be killed, paused, restarted, and cut off from the others.
#[derive(Debug)]
pub struct EtcdCluster {
    members: Vec<Etcd>,
    network: Network,
}

impl EtcdCluster {
    /// A new one, which everybody on this machine may use.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start() -> Self {
        let make = async || {
            let members = etcd::prepare(&["a", "b", "c"], &EtcdConfig::default());
            let gates = members.iter().map(Etcd::ports).map(|ports| Gate { from: ports.advertised, to: ports.peer });
            Ok(Self { network: Network::open(gates)?, members })
        };
        etcd::launch(make, Self::members).await
    }

    /// Its three members.
    #[must_use]
    pub fn members(&self) -> &[Etcd] {
        &self.members
    }

    /// Where all of its members answer clients.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().flat_map(Etcd::endpoints).collect()
    }

    /// Which of the members that answer leads, waiting until one does. One that was paused may not know yet that it no
    /// longer leads.
    ///
    /// # Panics
    /// When they have elected no leader after a minute.
    pub async fn leader(&self) -> &Etcd {
        let found = async {
            loop {
                let claims = self
                    .members
                    .iter()
                    .map(|member| Box::pin(async move { if member.leads().await { Ok(member) } else { Err(()) } }));
                match select_ok(claims).await {
                    Ok((leader, _)) => return leader,
                    Err(()) => sleep(Duration::from_millis(10)).await,
                }
            }
        };
        timeout(Duration::from_secs(60), found).await.expect("a leader is elected within a minute")
    }

    /// Cuts this member, alone, off from the other two: it hears nothing of them, nor they of it, and clients reach all
    /// three as before.
    ///
    /// # Panics
    /// When it is no member of this cluster, or does not run.
    pub async fn isolate(&self, member: &Etcd) {
        assert!(self.members.iter().any(|other| std::ptr::eq(other, member)), "a member of another cluster");
        let id = member.id().await.unwrap_or_else(|error| panic!("a member does not say who it is: {error}"));
        self.network.isolate(Some(Isolated { port: member.ports().peer, id }));
    }

    /// Lets all members reach one another again.
    pub fn reconnect(&self) {
        self.network.isolate(None);
    }

    /// The members that do not lead.
    ///
    /// # Panics
    /// As [`leader`](Self::leader).
    pub async fn followers(&self) -> Vec<&Etcd> {
        let leader = self.leader().await;
        self.members.iter().filter(|member| !std::ptr::eq(*member, leader)).collect()
    }
}
