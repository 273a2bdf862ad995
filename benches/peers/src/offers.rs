//! Allocators: the shape of Mesos's own benchmark `DeclineOffers`. Every node is in use in part, every framework declines
//! every offer for ever, and round after round what it declined goes to another.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use orch_core::allocator::{
    Allocator as _, AllocatorChange, Filters, Framework, NodeName, NodeSupply, Offer, Resources, Role, Usage,
};
use orch_core::clock::Timestamp;
use orch_sched::offer::DrfAllocator;

use crate::measure::{Cost, ROUNDS, cost, spread};
use crate::row::{per_second, time, verdict};

/// Nodes and frameworks: the corners of Mesos's grid, and what it published a figure for.
const SIZES: [(usize, usize); 7] =
    [(1_000, 1), (1_000, 6_000), (10_000, 1_000), (20_000, 2_000), (50_000, 1), (50_000, 1_000), (50_000, 6_000)];
/// What this project wants to reach, in nanoseconds.
const GOAL: ((usize, usize), f64, f64) = ((50_000, 1_000), 10e6, 100e3);
/// What Mesos published for a round: `DeclineOffers/21` in commit 86653356d, and its blog of October 2018.
const PUBLISHED: [((usize, usize), &str); 2] = [((10_000, 1_000), "1.06 s"), ((20_000, 2_000), "3.8 s")];
const TOTAL: &str = "cpus:24;mem:4096;disk:4096;ports:[31000-32000]";

/// What the steps of one run cost.
struct Run {
    frameworks: Cost,
    nodes: Cost,
    round: Vec<f64>,
    declines: Vec<f64>,
    floor: Vec<f64>,
    change: Vec<f64>,
}

pub fn run() {
    println!("
| nodes × frameworks | add a framework | add a node and offer it | a round: offer every node | the bare order, for as many | decline an offer | a task ends, and a round | Mesos’s round, published |
|---|---|---|---|---|---|---|---|");
    let mut verdicts = Vec::new();
    for (nodes, frameworks) in SIZES {
        let run = measure(nodes, frameworks);
        let shown = |costs: &[f64]| {
            let (least, median, most) = spread(costs.to_vec());
            format!("{} ({}–{})", time(median), time(least), time(most))
        };
        let published =
            PUBLISHED.iter().find(|(size, _)| *size == (nodes, frameworks)).map_or("none", |(_, time)| time);
        println!(
            "| {nodes} × {frameworks} | {} | {} | {} | {} | {} | {} | {published} |",
            time(run.frameworks.wall),
            time(run.nodes.wall),
            shown(&run.round),
            shown(&run.floor),
            shown(&run.declines),
            shown(&run.change),
        );
        let (size, round, change) = GOAL;
        if (nodes, frameworks) == size {
            let median = |costs: &[f64]| spread(costs.to_vec()).1;
            verdicts.push(verdict(
                &format!("a round of {nodes} × {frameworks} in ≤ {}", time(round)),
                round / median(&run.round),
            ));
            verdicts.push(verdict(&format!("a change in ≤ {}", time(change)), change / median(&run.change)));
            let rate = nodes as f64 * 1e9 / median(&run.round);
            verdicts.push(format!("{} offers made", per_second(rate)));
        }
    }
    println!("\nGoals: {}.", verdicts.join("; "));
}

fn measure(nodes: usize, frameworks: usize) -> Run {
    let mut allocator = DrfAllocator::default();
    allocator.advance(Timestamp::UNIX_EPOCH);
    let supplies: Vec<_> = (0..nodes).map(|number| node(number, frameworks)).collect();
    let put = |number| AllocatorChange::FrameworkPut(Framework::new(framework(number).as_str(), [Role::default()]));
    let arrivals: Vec<_> = (0..frameworks).map(put).collect();
    let frameworks_cost = cost(frameworks, || {
        for change in arrivals {
            allocator.observe(change).expect("a framework");
        }
    });
    let mut offers: Vec<Offer> = Vec::new();
    let nodes_cost = cost(nodes, || {
        for (supply, usage) in supplies {
            allocator.observe(AllocatorChange::NodePut(supply)).expect("a node");
            allocator.observe(AllocatorChange::Adopted(usage)).expect("a task");
            offers.extend(allocator.allocate().offers);
        }
    });
    let (mut round, mut declines, mut floor, mut change) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for number in 0..=ROUNDS {
        assert_eq!(offers.len(), if number < frameworks { nodes } else { 0 }, "every node is offered");
        let made = offers.len().max(1);
        let declined = cost(made, || {
            for offer in offers.drain(..) {
                allocator
                    .decline(offer.id, Filters { refuse: std::time::Duration::from_secs(1 << 25) })
                    .expect("an offer");
            }
        });
        allocator.advance(Timestamp::from_second(number as i64 + 1).expect("a time"));
        let whole = cost(1, || offers = allocator.allocate().offers);
        let bare = cost(1, || order(nodes, frameworks));
        // The first round does not count.
        if number > 0 {
            round.push(whole.wall);
            declines.push(declined.wall);
            floor.push(bare.wall);
        }
    }
    for number in 0..ROUNDS {
        let usage = node(number, frameworks).1;
        let usage = Usage { resources: "cpus:1".parse().expect("resources"), ..usage };
        let mut made = 0;
        let whole = cost(1, || {
            allocator.observe(AllocatorChange::Recovered(usage, Filters::NONE)).expect("it is used");
            made = allocator.allocate().offers.len();
        });
        assert_eq!(made, 1, "there is more of the node than anybody has refused");
        change.push(whole.wall);
    }
    Run { frameworks: frameworks_cost, nodes: nodes_cost, round, declines, floor, change }
}

fn framework(number: usize) -> String {
    format!("framework-{number}")
}

/// A node, and what is used of it.
fn node(number: usize, frameworks: usize) -> (NodeSupply, Usage) {
    let ports: Vec<String> = (0..16).map(|port| format!("{0}-{0}", 31_000 + 60 * port)).collect();
    let used = format!("cpus:16;mem:2014;disk:1024;ports:[{}]", ports.join(","));
    let name = NodeName::new(&format!("node-{number}"));
    let parse = |text: &str| -> Resources { text.parse().expect("resources") };
    let usage = Usage {
        framework: framework(number % frameworks).as_str().into(),
        role: Role::default(),
        node: name.clone(),
        resources: parse(&used),
    };
    (NodeSupply::new(name, parse(TOTAL)), usage)
}

/// The least that fairness costs: who has least gets the next, from a heap of shares.
fn order(nodes: usize, frameworks: usize) -> u64 {
    let mut heap: BinaryHeap<Reverse<(u64, usize)>> = (0..frameworks).map(|number| Reverse((0, number))).collect();
    let mut sum = 0;
    for _ in 0..nodes {
        let Reverse((share, number)) = heap.pop().expect("somebody");
        sum += number as u64;
        heap.push(Reverse((share + 1, number)));
    }
    sum
}
