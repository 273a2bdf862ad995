//! The bridge: made when a pod is to join, looked at whenever one does, and repaired where others changed it.

use std::net::Ipv4Addr;

use orch_core::runtime::RuntimeError;
use rtnetlink::{LinkBridge, LinkBridgePort, LinkMessageBuilder, LinkUnspec};

use super::netlink::Link;
use super::network::{Network, Port};

/// The alias of a bridge that a runtime made: others' are not ours to remove.
const MADE: &str = "made by orch-runtime";
/// How an address of Ethernet that stands for one of IPv4 begins.
const ETHERNET: [u8; 2] = [0x0a, 0x58];

impl Network {
    /// The bridge as it is to be, made if it is not there. One at a time looks after it.
    pub(super) async fn bridge(&self) -> Result<Link, RuntimeError> {
        let mut was_looked_after = self.bridge.lock().await;
        let (name, gateway) = (self.config.bridge().as_str(), self.config.gateway());
        let (bridge, made) = match self.netlink.link(name).await? {
            Some(bridge) => (bridge, false),
            None => self.make_bridge(name, gateway).await?,
        };
        if !bridge.is_bridge {
            let message = format!("the network of pods: the device {name} is no bridge: choose another name");
            return Err(RuntimeError::Unavailable { message, transient: false, source: None });
        }
        // An address that it has costs a question; that others took it away is noticed by asking no other.
        self.netlink.address(bridge.index, gateway, self.config.subnet().bits()).await?;
        let mtu = self.config.mtu().filter(|mtu| *mtu != bridge.mtu);
        if mtu.is_some() || !bridge.is_up {
            let change = mtu.into_iter().fold(LinkUnspec::new_with_index(bridge.index).up(), LinkMessageBuilder::mtu);
            self.netlink.change("turn the bridge on", change.build()).await?;
        }
        self.netlink.set("ip_forward", "1", "without which pods reach nobody").await?;
        if made || !*was_looked_after {
            self.join_again(bridge.index).await?;
            *was_looked_after = true;
        }
        Ok(Link { mtu: mtu.unwrap_or(bridge.mtu), ..bridge })
    }

    /// Makes it again if pods have lost it.
    pub(super) async fn repair(&self, links: &[Link]) -> Result<(), RuntimeError> {
        let name = self.config.bridge().as_str();
        let bridge = links.iter().find(|link| link.name == name).map(|link| link.index);
        let has_lost = |link: &Link| {
            Port::of(link).is_some_and(|port| port.bridge == name) && (bridge.is_none() || link.controller != bridge)
        };
        if links.iter().any(has_lost) {
            *self.bridge.lock().await = false;
            self.bridge().await?;
        }
        Ok(())
    }

    /// Makes it. Another process may come first: then it is that one's.
    async fn make_bridge(&self, name: &str, gateway: Ipv4Addr) -> Result<(Link, bool), RuntimeError> {
        // Else it has the address of one of its devices, another one whenever pods come or go, and pods lose their gateway.
        let new = LinkBridge::new(name).address(ethernet(gateway));
        let mtu = match self.config.mtu() {
            None => self.mtu_of_underlay().await?,
            given => given,
        };
        if self.netlink.make("make the bridge", new.build()).await? {
            // Linux takes no alias with the request that makes a device; and a size that comes with it changes with the devices
            // that are joined.
            let marked = LinkUnspec::new_with_index(self.netlink.own(name).await?.index).alias(MADE);
            let marked = mtu.into_iter().fold(marked, LinkMessageBuilder::mtu).build();
            self.netlink.change("mark the bridge", marked).await?;
        }
        Ok((self.netlink.own(name).await?, true))
    }

    async fn mtu_of_underlay(&self) -> Result<Option<u32>, RuntimeError> {
        let Some(index) = self.netlink.underlay().await? else { return Ok(None) };
        let links = self.netlink.links().await?;
        Ok(links.iter().find(|link| link.index == index).map(|link| link.mtu))
    }

    /// Pods that are joined to a bridge lose it when others remove it: they are joined to the one that took its place.
    async fn join_again(&self, bridge: u32) -> Result<(), RuntimeError> {
        for link in self.netlink.links().await? {
            let Some(port) = Port::of(&link).filter(|port| port.bridge == self.config.bridge().as_str()) else {
                continue;
            };
            if link.controller != Some(bridge) {
                tracing::info!(
                    device = link.name,
                    bridge = port.bridge,
                    "a pod had lost its bridge, and is joined again"
                );
                let joined = LinkUnspec::new_with_index(link.index).controller(bridge).up();
                self.netlink.change("join a pod again", joined.build()).await?;
                self.netlink.change("set up a pod's place at the bridge", place(link.index).build()).await?;
            }
        }
        Ok(())
    }

    /// Removes the bridge if a runtime made it and nothing is joined to it. It is made again when a pod is to join, and none
    /// may join meanwhile.
    pub(crate) async fn close(&self) -> Result<(), RuntimeError> {
        let links = self.netlink.links().await?;
        let is_ours = |link: &&Link| link.name == self.config.bridge().as_str() && link.alias == MADE;
        let Some(bridge) = links.iter().find(is_ours) else { return Ok(()) };
        if links.iter().any(|link| link.controller == Some(bridge.index)) {
            return Ok(());
        }
        self.netlink.delete("remove the bridge", bridge.index).await
    }
}

/// A pod's place at the bridge. Where the kernel shows packet filters what a bridge carries (`bridge-nf-call-iptables`), it
/// bridges what they lead to another pod, or back to the same one, and routes it otherwise. So packets may leave where they
/// came in, and places are not isolated from each other.
pub(super) fn place(index: u32) -> LinkMessageBuilder<LinkBridgePort> {
    LinkBridgePort::new(index).hairpin(true)
}

/// The address of Ethernet that goes with one of IPv4: who had this address before a pod had the same, so that what others
/// remember of it is still right.
pub(super) fn ethernet(address: Ipv4Addr) -> Vec<u8> {
    [&ETHERNET[..], &address.octets()].concat()
}
