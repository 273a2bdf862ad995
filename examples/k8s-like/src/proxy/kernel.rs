//! [`lacking`]: what the kernel must do before pods reach one another and services, and does not.

use std::fs;

use super::ProxyKind;

const BRIDGES: (&str, &str) = (
    "/proc/sys/net/bridge/bridge-nf-call-iptables",
    "what pods send to each other over Docker's bridge passes the rules by, so a service that leads a pod to its neighbour \
     does not answer it: `modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1` mends that",
);

/// What is wrong with that on this machine, in words. Nothing is changed: it would be so for everybody's bridges. What pods
/// on a node's own bridge send is routed, whoever it is for.
pub(crate) fn lacking(proxy: ProxyKind, are_on_dockers_bridge: bool) -> Option<&'static str> {
    let (file, words) = BRIDGES;
    let is_on = || fs::read_to_string(file).is_ok_and(|text| text.trim() == "1");
    (proxy.is_kernels() && are_on_dockers_bridge && !is_on()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernel_that_leads_pods_of_dockers_bridge_to_services_may_lack_something() {
        assert_eq!(lacking(ProxyKind::Iptables, false), None);
        assert_eq!(lacking(ProxyKind::Userspace, true), None);
    }
}
