//! Schedulers: pods placed a second, every node scored for every pod.

use std::sync::Arc;

use orch_core::object::Pod;
use orch_core::scheduler::{Outcome, Scheduler as _, SupplyChange};
use orch_sched::FilterScoreScheduler;

use crate::measure::{Cost, cost};
use crate::objects::{node, pod};
use crate::row::Row;

const PODS: usize = 50;
const PODS_ON_EACH_NODE: usize = 30;
/// What kube-scheduler must exceed on 5,000 nodes in its own test SchedulingBasic, Kubernetes 1.36.
const SCHEDULING_BASIC: (usize, f64) = (5_000, 270.0);

pub fn rows() -> Vec<Row> {
    [100, 1_000, 5_000].into_iter().map(placements).collect()
}

fn placements(nodes: usize) -> Row {
    let mut scheduler = cluster(nodes);
    let pods: Vec<Arc<Pod>> = (0..PODS).map(|index| Arc::new(pod(&format!("pod-{index}")))).collect();
    let ours = || {
        cost(PODS, || {
            let decisions = scheduler.schedule(&pods);
            assert!(decisions.iter().all(|decision| matches!(decision.outcome, Outcome::Place { .. })));
            decisions
        })
    };
    let what =
        format!("placement of a pod on {nodes} nodes with {PODS_ON_EACH_NODE} pods each, all filtered and scored");
    let row = Row::pair(what, "one pass over free cpu and memory in columns", ours, || scan(nodes));
    if nodes != SCHEDULING_BASIC.0 {
        return row;
    }
    row.remark(|rate| {
        let (times, threshold) = (rate / SCHEDULING_BASIC.1, SCHEDULING_BASIC.1);
        format!("{times:.2} × the {threshold} pods/s of SchedulingBasic, which counts API server and etcd too")
    })
}

/// A scheduler that was shown so many nodes and what runs there.
fn cluster(nodes: usize) -> FilterScoreScheduler {
    let mut scheduler = FilterScoreScheduler::default();
    for index in 0..nodes {
        let name = format!("node-{index}");
        scheduler.observe(SupplyChange::NodePut(node(&name)));
        for place in 0..PODS_ON_EACH_NODE {
            let mut pod = pod(&format!("running-{index}-{place}"));
            pod.spec.node_name = Some(name.clone());
            scheduler.observe(SupplyChange::PodPut(Arc::new(pod)));
        }
    }
    scheduler
}

/// The least that choosing among all nodes costs: the maximum of a score over columns of numbers.
fn scan(nodes: usize) -> Cost {
    const CPU: i64 = 100;
    const MEMORY: i64 = 500 << 20;
    let used = PODS_ON_EACH_NODE as i64;
    let mut free: Vec<(i64, i64)> = vec![(32_000 - used * CPU, (256 << 30) - used * MEMORY); nodes];
    cost(PODS, || {
        for _ in 0..PODS {
            let score = |(cpu, memory): &(i64, i64)| cpu * 50 / 32_000 + (memory >> 20) * 50 / (256 << 10);
            let fits = |(cpu, memory): &(i64, i64)| *cpu >= CPU && *memory >= MEMORY;
            let best = free.iter().enumerate().filter(|(_, free)| fits(free)).max_by_key(|(_, free)| score(free));
            let index = best.expect("there is room").0;
            free[index].0 -= CPU;
            free[index].1 -= MEMORY;
        }
        free
    })
}
