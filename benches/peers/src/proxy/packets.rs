//! What proxies cost the first packet of a connection.

use std::cell::Cell;
use std::net::Ipv4Addr;

use super::growth::Growth;
use super::node::Node;
use super::shape::{PORT, Shape, State, TARGET, address};
use super::subject::Samples;
use crate::measure::{Cost, Measured, Side, in_turn, spread};
use crate::row::{Row, time};

/// How many connections make one round.
const CONNECTIONS: u16 = 50;

/// How many times as long a first packet may take among the most services as among the fewest, by rules of iptables.
const GROWTH: f64 = 1.5;

/// Rows of two proxies against a connection without a service, and against rules in kube-proxy's shape.
pub fn rows(shape: Shape, iptables: &Node, nftables: &Node, kube: &Node, growth: &mut Growth) -> Vec<Row> {
    let nowhere = Node::new();
    let round = Cell::new(0_u16);
    // Services all over the table, others in each round. The services after those of the table are others' on some nodes.
    let next = || {
        let (start, step) = (round.replace(round.get().wrapping_add(7)), shape.services / CONNECTIONS);
        (0..CONNECTIONS).map(move |index| (index * step + start % step) % shape.services)
    };
    let services = || next().map(|number| (address(number), PORT)).collect::<Vec<_>>();
    let endpoints = || {
        let endpoint = |number| *shape.endpoints(number, State::default())[0].ip();
        next().map(|number| (endpoint(number), TARGET)).collect()
    };
    let [bare, chains, maps, kubes]: [Samples; 4] = Default::default();
    let [direct, by_iptables, by_nftables, by_kube] = in_turn([
        Side::new("to an endpoint, on a node without rules", || connect(&nowhere, endpoints(), &bare)),
        Side::new("IptablesProxy", || connect(iptables, services(), &chains)),
        Side::new("NftablesProxy", || connect(nftables, services(), &maps)),
        Side::new("rules in kube-proxy\u{2019}s shape", || connect(kube, services(), &kubes)),
    ]);
    let what = format!("{shape}, first packet until accepted");
    let row = |ours: &Measured, samples: &Samples, peer: &Measured, of_peer: &Samples| {
        let note =
            format!("p99 of {} {}, the other\u{2019}s {}", samples.len(), time(samples.at(99)), time(of_peer.at(99)));
        Row::of(&what, ours, peer).note(&note)
    };
    for (name, most, samples) in [
        ("IptablesProxy, first packet, p50", GROWTH, &chains),
        ("NftablesProxy, first packet, p50", Growth::FLAT, &maps),
        ("no rules, first packet, p50", Growth::FLAT, &bare),
    ] {
        growth.add(shape, name, most, samples.at(50));
    }
    growth.add(shape, "IptablesProxy, first packet, p99", GROWTH, chains.at(99));
    growth.add(shape, "NftablesProxy, first packet, p99", Growth::FLAT, maps.at(99));
    vec![
        row(&by_iptables, &chains, &direct, &bare),
        row(&by_nftables, &maps, &direct, &bare),
        row(&by_iptables, &chains, &by_kube, &kubes),
        row(&by_nftables, &maps, &by_kube, &kubes),
    ]
}

fn connect(node: &Node, to: Vec<(Ipv4Addr, u16)>, samples: &Samples) -> Cost {
    let count = to.len();
    let mut took = Vec::with_capacity(count);
    let cost = crate::measure::cost(count, || took = node.connect(to.into_iter()));
    samples.extend(&took);
    Cost { wall: spread(took).1, ..cost }
}
