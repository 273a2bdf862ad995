//! [`lacking`]: what the kernel must do before pods reach one another and services, and does not.

use std::fs;

use super::ProxyKind;
use crate::runtimes::RuntimeKind;

const FORWARD: (&str, &str) = (
    "/proc/sys/net/ipv4/ip_forward",
    "this machine forwards no packets, so its pods reach nothing beyond their own node: `sysctl -w net.ipv4.ip_forward=1` \
     lets them",
);
const BRIDGES: (&str, &str) = (
    "/proc/sys/net/bridge/bridge-nf-call-iptables",
    "what pods of one node send to each other passes the rules by, so a service that leads a pod to its neighbour does not \
     answer it: `modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1` mends that",
);

/// What is wrong with that on this machine, in words. Nothing is changed: what a machine forwards is its owner's to say.
pub(crate) fn lacking(proxy: ProxyKind, runtime: RuntimeKind) -> Vec<&'static str> {
    if runtime == RuntimeKind::Process {
        return Vec::new();
    }
    let needed = [Some(FORWARD), proxy.is_kernels().then_some(BRIDGES)];
    let is_off = |file: &str| fs::read_to_string(file).map_or(true, |text| text.trim() != "1");
    needed.into_iter().flatten().filter(|(file, _)| is_off(file)).map(|(_, words)| words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_that_are_processes_need_nothing() {
        assert!(lacking(ProxyKind::Iptables, RuntimeKind::Process).is_empty());
        assert!(lacking(ProxyKind::Userspace, RuntimeKind::Containerd).len() <= 1);
    }
}
