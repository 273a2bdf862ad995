//! [`Subject`]: a proxy on a node of its own, and what it is told.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orch_core::proxy::{ServiceProxy, ServiceTable};
use tokio::runtime::Runtime;

use super::node::Node;
use super::shape::{Shape, State};
use crate::measure::{Cost, cost_with_children, spread};

/// A proxy on a node of its own, and what it is told.
pub struct Subject<'a> {
    pub node: Node,
    proxy: Box<dyn ServiceProxy>,
    executor: &'a Runtime,
    shape: Shape,
    /// How long to wait before a change.
    rest: Duration,
    told: RefCell<(ServiceTable, State)>,
    pub replacements: Samples,
    pub additions: Samples,
}

/// What a change costs: one endpoint that is replaced, one service that is added.
#[derive(Clone, Copy, Debug)]
pub struct Changes {
    pub replacement: Cost,
    pub addition: Cost,
}

/// What each of many operations took, in nanoseconds.
#[derive(Debug, Default)]
pub struct Samples(RefCell<Vec<f64>>);

impl Samples {
    pub fn extend(&self, samples: &[f64]) {
        self.0.borrow_mut().extend_from_slice(samples);
    }

    /// The time that so many of a hundred keep to.
    pub fn at(&self, percent: usize) -> f64 {
        let mut samples = self.0.borrow().clone();
        samples.sort_by(f64::total_cmp);
        samples[(samples.len() * percent).div_ceil(100) - 1]
    }

    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

impl<'a> Subject<'a> {
    /// Has a proxy serve the table for the first time, and tells what that cost. Later changes come so long after another.
    pub fn new(shape: Shape, proxy: impl ServiceProxy, rest: Duration, executor: &'a Runtime) -> (Self, Cost) {
        let (node, table) = (Node::new(), shape.table());
        let first = Arc::new(table.clone());
        let told = RefCell::new((table, State::default()));
        let [replacements, additions] = [Samples::default(), Samples::default()];
        let subject = Self { node, proxy: Box::new(proxy), executor, shape, rest, told, replacements, additions };
        let load = subject.cost(&[first]).0;
        (subject, load)
    }

    /// Changes the table, so often.
    pub fn change(&self, times: usize) -> Changes {
        let tables = {
            let (table, state) = &mut *self.told.borrow_mut();
            self.shape.replacements(table, state, times)
        };
        let (replacement, took) = self.cost(&tables);
        self.replacements.extend(&took);
        let tables = {
            let (table, state) = &mut *self.told.borrow_mut();
            self.shape.additions(table, state, times)
        };
        let (addition, took) = self.cost(&tables);
        self.additions.extend(&took);
        Changes { replacement, addition }
    }

    /// What it costs to serve one table after another: the median on the wall, the mean of processor time.
    fn cost(&self, tables: &[Arc<ServiceTable>]) -> (Cost, Vec<f64>) {
        let mut took = Vec::with_capacity(tables.len());
        let serve = async {
            for table in tables {
                tokio::time::sleep(self.rest).await;
                let start = Instant::now();
                self.proxy.sync(Arc::clone(table)).await.expect("a good table");
                took.push(start.elapsed().as_nanos() as f64);
            }
        };
        let cost = self.node.on(|| cost_with_children(tables.len(), || self.executor.block_on(serve)));
        (Cost { wall: spread(took.clone()).1, ..cost }, took)
    }
}
