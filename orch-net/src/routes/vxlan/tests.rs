use orch_core::network::Host;

use super::super::model::Address;
use super::*;

fn host(addresses: &[&str], ranges: &[&str]) -> Host {
    Host {
        addresses: addresses.iter().map(|text| text.parse().expect(text)).collect(),
        pod_ranges: ranges.iter().map(|text| text.parse().expect(text)).collect(),
    }
}

fn table<const N: usize>(hosts: [(&str, Host); N]) -> HostTable {
    let mut table = HostTable::new("a");
    for (name, host) in hosts {
        table.set(name, Some(host));
    }
    table
}

fn machine(mtu: u32) -> Observed {
    let eth0 = Link {
        index: 2,
        name: "eth0".to_owned(),
        mtu,
        is_up: true,
        is_loopback: false,
        alias: None,
        mac: None,
        tunnel: None,
    };
    let addresses =
        ["192.0.2.1", "2001:db8::1"].map(|text| Address { link: 2, address: text.parse().expect(text), bits: 24 });
    Observed { links: vec![eth0], addresses: addresses.to_vec(), ..Observed::default() }
}

fn own() -> Host {
    host(&["192.0.2.1", "2001:db8::1"], &["10.244.0.0/24", "fd00:244::/64"])
}

#[test]
fn the_device_is_as_large_as_fits_and_has_the_first_addresses() {
    let table = table([("a", own()), ("b", host(&["192.0.2.2"], &["10.244.1.0/24"]))]);
    let device =
        VxlanConfig::default().wanted(&table, &machine(1500)).expect("it can be had").device.expect("a device");
    assert_eq!((device.mtu, device.tunnel.vni, device.tunnel.port), (1450, 79, 4789));
    assert_eq!(device.tunnel.local, Some([192, 0, 2, 1].into()));
    let addresses: Vec<_> = device.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.244.0.0", "fd00:244::"]);
}

#[test]
fn hosts_speak_ipv6_where_not_all_have_ipv4() {
    let of_v6 = || host(&["2001:db8::2"], &["fd00:244:1::/64"]);
    let table = table([("a", own()), ("b", of_v6())]);
    let wanted = VxlanConfig::default().wanted(&table, &machine(1500)).expect("it can be had");
    assert_eq!(wanted.device.expect("a device").mtu, 1430);
    let mut both = table.clone();
    both.set("c", Some(host(&["192.0.2.3"], &["10.244.2.0/24"])));
    let error = VxlanConfig::default().wanted(&both, &machine(1500)).expect_err("b and c have nothing in common");
    assert!(error.to_string().contains("host b has no IPv4 address and host c no IPv6 address"), "{error}");
    assert_eq!(error.host(), Some("b"));
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let peer = || ("b", host(&["192.0.2.2"], &["10.244.1.0/24"]));
    let with_mtu = |mtu| VxlanConfig { mtu: Some(mtu), ..VxlanConfig::default() };
    let refused = |config: VxlanConfig, table: &HostTable, mtu| {
        config.wanted(table, &machine(mtu)).expect_err("it cannot be").to_string()
    };
    let good = table([("a", own()), peer()]);
    assert!(refused(with_mtu(1451), &good, 1500).contains("set at most 1450"));
    assert!(refused(VxlanConfig::default(), &good, 1300).contains("could have 1250 at most, and must be allowed 1280"));
    let unknown = table([peer()]);
    assert!(refused(VxlanConfig::default(), &unknown, 1500).contains("has no IPv4 address in the table yet"));
    let elsewhere = table([("a", host(&["192.0.2.7"], &["10.244.0.0/24"])), peer()]);
    let error = refused(VxlanConfig::default(), &elsewhere, 1500);
    assert!(error.contains("should have the address 192.0.2.7, and has not (eth0 has 192.0.2.1/24"), "{error}");
    let mistaken = table([("a", own()), ("b", host(&["192.0.2.1"], &["10.244.1.0/24"]))]);
    assert!(
        refused(VxlanConfig::default(), &mistaken, 1500).contains("is one of this host, which is called \"a\" here")
    );
    let alone = table([("a", own())]);
    let nothing = VxlanConfig::default().wanted(&alone, &machine(1300)).expect("nothing is wanted");
    assert_eq!(nothing, Wanted::default());
}

#[test]
fn a_name_gives_always_the_same_address_of_one_device() {
    assert_eq!(mac_of("node-1"), mac_of("node-1"));
    let macs: std::collections::BTreeSet<_> = (0..5000).map(|number| mac_of(&format!("node-{number}"))).collect();
    assert_eq!(macs.len(), 5000);
    assert!(macs.iter().all(|mac| mac.0[0] & 3 == 2), "it is nobody's by the maker, and of one device");
}
