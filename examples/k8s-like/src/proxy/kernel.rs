//! [`lacking`]: what the kernel must do before pods reach one another and services, and does not.

use std::fs;

use super::ProxyKind;

const BRIDGES: (&str, &str) = (
    "/proc/sys/net/bridge/bridge-nf-call-iptables",
    "what pods of one node send to each other passes the rules by, so a service that leads a pod to its neighbour does not \
     answer it: `modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1` mends that",
);

/// What is wrong with that on this machine, in words. Nothing is changed: it would be so for everybody's bridges.
pub(crate) fn lacking(proxy: ProxyKind, pods_are_bridged: bool) -> Option<&'static str> {
    let (file, words) = BRIDGES;
    let is_on = || fs::read_to_string(file).is_ok_and(|text| text.trim() == "1");
    (proxy.is_kernels() && pods_are_bridged && !is_on()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernel_that_leads_pods_of_one_bridge_to_services_may_lack_something() {
        assert_eq!(lacking(ProxyKind::Iptables, false), None);
        assert_eq!(lacking(ProxyKind::Userspace, true), None);
    }
}
