use orch_core::object::{HostAlias, ObjectMeta, PodSpec};

use super::*;

fn config(servers: &[&str]) -> NodeAgentConfig {
    let mut config = NodeAgentConfig::new("node-1", [192, 168, 0, 1].into());
    let servers = servers.iter().map(|server| server.parse().expect("an address")).collect();
    config.cluster_dns = Some(ClusterDns { servers, zone: Zone::default() });
    config
}

fn pod(policy: Option<DnsPolicy>) -> Pod {
    let metadata = ObjectMeta { name: "a".into(), namespace: Some("shop".into()), ..ObjectMeta::default() };
    Pod { metadata, spec: PodSpec { dns_policy: policy, ..PodSpec::default() }, ..Pod::default() }
}

fn node() -> SandboxDns {
    SandboxDns::parse("nameserver 9.9.9.9\nsearch lan svc.cluster.local\noptions ndots:1 edns0\n").0
}

/// The file in one line.
fn file(names: &Names) -> String {
    let file = names.dns.as_ref().map_or_else(|| "as the node".to_owned(), SandboxDns::resolv_conf);
    file.trim_end().replace('\n', "; ")
}

const CLUSTER: &str = "search shop.svc.cluster.local svc.cluster.local cluster.local lan; nameserver 10.96.0.10; \
                       options ndots:5";
const NODE: &str = "search lan svc.cluster.local; nameserver 9.9.9.9; options ndots:1 edns0";

#[test]
fn whom_a_pod_asks_follows_from_its_policy_and_its_network() {
    use DnsPolicy::{ClusterFirst, ClusterFirstWithHostNet, Default, None};
    for (policy, host_network, expected) in [
        (Option::None, false, CLUSTER),
        (Some(ClusterFirst), false, CLUSTER),
        (Some(ClusterFirst), true, NODE),
        (Some(ClusterFirstWithHostNet), true, CLUSTER),
        (Some(ClusterFirstWithHostNet), false, CLUSTER),
        (Some(Default), false, NODE),
        (Some(Default), true, NODE),
        (Some(None), false, ""),
        (Some(None), true, ""),
    ] {
        let mut pod = pod(policy);
        pod.spec.host_network = host_network;
        let names = names(&pod, &config(&["10.96.0.10"]), Some(&node()));
        assert_eq!((file(&names).as_str(), names.warnings), (expected, Vec::new()), "{policy:?} {host_network}");
    }
}

#[test]
fn without_name_servers_of_the_cluster_a_pod_asks_as_its_node_does_and_people_are_told() {
    let without = NodeAgentConfig { cluster_dns: None, ..config(&[]) };
    let names = |config, policy| names(&pod(policy), config, Some(&node()));
    let warned = names(&without, None);
    assert_eq!((file(&warned).as_str(), warned.warnings[0].0), (NODE, "MissingClusterDNS"));
    assert!(warned.warnings[0].1.contains("dnsPolicy ClusterFirst asks for"), "{:?}", warned.warnings);
    assert_eq!(names(&without, Some(DnsPolicy::Default)).warnings, []);
    // Where there are none by design, there is nothing to be told.
    let quiet = names(&config(&[]), None);
    assert_eq!((file(&quiet).as_str(), quiet.warnings), (NODE, Vec::new()));
}

#[test]
fn of_a_node_that_tells_nothing_pods_get_what_the_runtime_gives() {
    let known = config(&["10.96.0.10"]);
    assert_eq!(file(&names(&pod(Some(DnsPolicy::Default)), &known, None)), "as the node");
    let cluster = CLUSTER.replace(" lan", "");
    assert_eq!(file(&names(&pod(None), &known, None)), cluster);
    let mut adds = pod(Some(DnsPolicy::Default));
    adds.spec.dns_config = Some(PodDnsConfig { nameservers: vec!["1.1.1.1".into()], ..PodDnsConfig::default() });
    assert_eq!(file(&names(&adds, &known, None)), "nameserver 1.1.1.1");
}

#[test]
fn what_a_pod_adds_comes_last_and_nothing_comes_twice() {
    let option = |name: &str, value: Option<&str>| PodDnsConfigOption {
        name: Some(name.into()),
        value: value.map(str::to_owned),
    };
    let mut pod = pod(None);
    pod.spec.dns_config = Some(PodDnsConfig {
        nameservers: vec!["1.1.1.1".into(), "10.96.0.10".into(), "1.1.1.1".into()],
        searches: vec!["lan".into(), "example.org".into(), "example.org".into()],
        options: vec![option("use-vc", None), option("ndots", Some("2")), option("edns0", Some(""))],
    });
    let names = names(&pod, &config(&["10.96.0.10"]), Some(&node()));
    let cluster = "search shop.svc.cluster.local svc.cluster.local cluster.local lan example.org";
    let expected = format!("{cluster}; nameserver 10.96.0.10; nameserver 1.1.1.1; options ndots:2 use-vc edns0");
    assert_eq!(file(&names), expected);
}

#[test]
fn what_resolvers_would_not_read_is_left_out_and_told() {
    let mut many = pod(None);
    many.spec.dns_config = Some(PodDnsConfig {
        nameservers: vec!["1.1.1.1".into(), "2.2.2.2".into(), "3.3.3.3".into()],
        searches: (0..32).map(|number| format!("d{number}.org")).collect(),
        ..PodDnsConfig::default()
    });
    let config = config(&["10.96.0.10"]);
    let fits = names(&many, &config, None);
    let dns = fits.dns.expect("the cluster's");
    assert_eq!((dns.nameservers.len(), dns.searches.len()), (3, 32));
    assert_eq!(dns.searches[31].as_str(), "d28.org");
    let [(reason, servers), (_, searches)] = &fits.warnings[..] else { panic!("{:?}", fits.warnings) };
    assert_eq!(*reason, "DNSConfigForming");
    assert!(servers.starts_with("Nameserver limits were exceeded, some nameservers have been omitted"), "{servers}");
    assert!(servers.ends_with("line is: 10.96.0.10 1.1.1.1 2.2.2.2"), "{servers}");
    assert!(searches.starts_with("Search Line limits were exceeded") && searches.ends_with(" d28.org"), "{searches}");
    let domain = |number: usize| format!("{number:02}.{}.org", "a".repeat(200).replace("aaaaa", "aaaa."));
    let mut long = pod(Some(DnsPolicy::None));
    let searches: Vec<String> = (0..11).map(domain).collect();
    long.spec.dns_config = Some(PodDnsConfig { searches: searches.clone(), ..PodDnsConfig::default() });
    let fits = names(&long, &config, None);
    let length = |count: usize| searches[..count].join(" ").len();
    let kept = fits.dns.expect("the pod's").searches.len();
    assert!(length(kept) <= 2048 && length(kept + 1) > 2048, "{kept}");
    assert_eq!(fits.warnings.len(), 1);
}

#[test]
fn an_endpoint_of_a_headless_service_knows_its_domain() {
    let mut pod = pod(None);
    let domain = |pod: &Pod| names(pod, &config(&["10.96.0.10"]), None).domain.map(String::from);
    assert_eq!(domain(&pod), None);
    pod.spec.subdomain = Some("db".into());
    assert_eq!(domain(&pod).as_deref(), Some("db.shop.svc.cluster.local"));
    pod.spec.host_network = true;
    assert_eq!(domain(&pod), None);
}

#[test]
fn what_a_pod_says_is_checked_again_before_it_goes_into_files() {
    let mut pod = pod(None);
    pod.spec.host_aliases = vec![HostAlias { ip: "10.0.0.1".into(), hostnames: vec!["db".into(), "db.lan".into()] }];
    assert_eq!(check(&pod), Ok(()));
    let entries = names(&pod, &config(&[]), None).host_entries;
    assert_eq!(entries.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.1\tdb\tdb.lan"]);
    for (ip, name) in [("10.0.0.1\n", "db"), ("10.0.0.1", "db\n10.0.0.2 web")] {
        pod.spec.host_aliases = vec![HostAlias { ip: ip.into(), hostnames: vec![name.into()] }];
        assert!(check(&pod).is_err(), "{ip:?} {name:?}");
        assert_eq!(names(&pod, &config(&[]), None).host_entries, []);
    }
}
