//! Rules in the shape of kube-proxy's, in its mode `iptables`: what it writes at its first sync, and what at one after
//! which little has changed.
//!
//! The shape is that of kube-proxy since Kubernetes 1.27 (`pkg/proxy/iptables/proxier.go`), for more than a thousand
//! endpoints, when it leaves comments out: a rule for each service in `KUBE-SERVICES`, a chain `KUBE-SVC-…` for each
//! service with a rule for each endpoint, and a chain `KUBE-SEP-…` for each endpoint with two. When something has changed it
//! writes `KUBE-SERVICES` anew, with all its rules, and the chains of the services that changed.

use std::fmt::Write as _;
use std::net::SocketAddrV4;

use super::shape::{CHANGED, PORT, Shape, State, address};

/// The chains that it writes at every sync.
const TOP: &str = "\
*filter
:KUBE-NODEPORTS - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:KUBE-NODEPORTS - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
";

/// What the chains say that are the same at every sync.
const FIXED: &str = "\
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
";

/// The rules of built-in chains, which it makes one by one when it starts.
const JUMPS: &str = "\
*filter
-I INPUT -m conntrack --ctstate NEW -j KUBE-SERVICES
-I FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES
-I OUTPUT -m conntrack --ctstate NEW -j KUBE-SERVICES
-I FORWARD -j KUBE-FORWARD
COMMIT
*nat
-I PREROUTING -j KUBE-SERVICES
-I OUTPUT -j KUBE-SERVICES
-I POSTROUTING -j KUBE-POSTROUTING
COMMIT
";

/// So many services are written at a time when there is nothing yet. kube-proxy writes all at once, for which
/// `iptables-restore` takes minutes: with `--noflush` its time grows with the square of the number of chains.
const PORTION: usize = 250;

/// All rules, in portions.
pub fn whole(shape: Shape) -> Vec<String> {
    let state = State::default();
    let numbers: Vec<u16> = shape.numbers(state).collect();
    let mut portions = vec![TOP.to_owned() + FIXED + "COMMIT\n"];
    for numbers in numbers.chunks(PORTION) {
        let (mut chains, mut rules) = (String::from("*nat\n"), String::new());
        numbers.iter().for_each(|number| service(&mut chains, &mut rules, shape, *number, state));
        portions.push(format!("{chains}{rules}COMMIT\n"));
    }
    portions.push(rules(shape, state, None, None) + JUMPS);
    portions
}

/// What is written after the endpoint was replaced that `state` tells of.
pub fn replacement(shape: Shape, before: State, state: State) -> String {
    let gone = shape.endpoints(CHANGED, before)[0];
    rules(shape, state, Some(CHANGED), Some(endpoint_chain(CHANGED, gone)))
}

/// What is written after the last service was added that `state` tells of.
pub fn addition(shape: Shape, state: State) -> String {
    rules(shape, state, shape.numbers(state).last(), None)
}

/// All of `KUBE-SERVICES`, and the chains of a service that changed.
fn rules(shape: Shape, state: State, changed: Option<u16>, gone: Option<String>) -> String {
    let (mut chains, mut rules) = (String::from(TOP), String::from(FIXED));
    for number in shape.numbers(state) {
        let (at, chain) = (address(number), service_chain(number));
        put(&mut rules, format_args!("-A KUBE-SERVICES -d {at}/32 -p tcp -m tcp --dport {PORT} -j {chain}"));
    }
    if let Some(number) = changed {
        service(&mut chains, &mut rules, shape, number, state);
    }
    if let Some(gone) = &gone {
        put(&mut chains, format_args!(":{gone} - [0:0]"));
    }
    put(&mut rules, format_args!("-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"));
    if let Some(gone) = gone {
        put(&mut rules, format_args!("-X {gone}"));
    }
    format!("{chains}{rules}COMMIT\n")
}

/// The chains of a service.
fn service(chains: &mut String, rules: &mut String, shape: Shape, number: u16, state: State) {
    let (service, endpoints) = (service_chain(number), shape.endpoints(number, state));
    put(chains, format_args!(":{service} - [0:0]"));
    for (index, endpoint) in endpoints.iter().enumerate() {
        let (chain, left) = (endpoint_chain(number, *endpoint), endpoints.len() - index);
        let chance = match left {
            1 => String::new(),
            left => format!("-m statistic --mode random --probability {:.10} ", 1.0 / left as f64),
        };
        put(chains, format_args!(":{chain} - [0:0]"));
        put(rules, format_args!("-A {service} {chance}-j {chain}"));
        put(rules, format_args!("-A {chain} -s {}/32 -j KUBE-MARK-MASQ", endpoint.ip()));
        put(rules, format_args!("-A {chain} -p tcp -m tcp -j DNAT --to-destination {endpoint}"));
    }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a text can be written to");
}

/// Names are as long as kube-proxy's, whose last 16 letters are a hash.
fn service_chain(number: u16) -> String {
    format!("KUBE-SVC-{:016X}", u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn endpoint_chain(number: u16, endpoint: SocketAddrV4) -> String {
    let mixed = (u64::from(number) << 32 | u64::from(endpoint.ip().to_bits())).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!("KUBE-SEP-{mixed:016X}")
}
