//! Schedulers: pods placed a second, every node scored for every pod.

use std::sync::Arc;

use orch_core::object::Pod;
use orch_core::scheduler::{Outcome, Scheduler as _, SupplyChange};
use orch_sched::FilterScoreScheduler;

use crate::measure::{Cost, Row, cost};
use crate::objects::{node, pod};

const PODS: usize = 50;

pub fn rows() -> Vec<Row> {
    [100, 1_000, 5_000].into_iter().map(placements).collect()
}

fn placements(nodes: usize) -> Row {
    let mut scheduler = FilterScoreScheduler::default();
    for index in 0..nodes {
        scheduler.observe(SupplyChange::NodePut(node(&format!("node-{index}"))));
    }
    let pods: Vec<Arc<Pod>> = (0..PODS).map(|index| Arc::new(pod(&format!("pod-{index}")))).collect();
    let ours = move || {
        cost(PODS, || {
            let decisions = scheduler.schedule(&pods);
            assert!(decisions.iter().all(|decision| matches!(decision.outcome, Outcome::Place { .. })));
        })
    };
    let what = format!("placement of a pod on {nodes} nodes, all of them filtered and scored");
    Row::pair(&what, "one pass over the nodes' free cpu and memory in columns", ours, move || scan(nodes))
}

/// The least that choosing among all nodes costs: the maximum of a score over columns of numbers.
fn scan(nodes: usize) -> Cost {
    let mut free: Vec<(i64, i64)> = (0..nodes).map(|_| (32_000, 256 << 30)).collect();
    cost(PODS, || {
        for _ in 0..PODS {
            let score = |(cpu, memory): &(i64, i64)| cpu * 50 / 32_000 + (memory >> 20) * 50 / (256 << 10);
            let fits = |(cpu, memory): &(i64, i64)| *cpu >= 100 && *memory >= 500 << 20;
            let best = free.iter().enumerate().filter(|(_, free)| fits(free)).max_by_key(|(_, free)| score(free));
            let index = best.expect("there is room").0;
            free[index].0 -= 100;
            free[index].1 -= 500 << 20;
        }
        std::hint::black_box(&free);
    })
}
