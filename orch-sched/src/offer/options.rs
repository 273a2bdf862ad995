//! [`AllocatorOptions`]: the settings of an allocator.

use std::collections::BTreeSet;
use std::time::Duration;

use orch_core::allocator::{Quantities, Scalar};

/// The settings of an allocator; by default, Mesos's.
#[derive(Clone, Debug)]
pub struct AllocatorOptions {
    /// Decides in which order nodes are dealt out.
    pub seed: u64,
    /// What makes an offer worth while: any of these. By default a hundredth of a CPU, or 32 MB of memory.
    pub min_allocatable: Vec<Quantities>,
    /// What is refused is refused for so long at least: the time between two rounds. By default 1 s.
    pub least_refusal: Duration,
    /// After so long, an offer that was not answered is rescinded. By default, never.
    pub offer_timeout: Option<Duration>,
    /// Resources that do not count when it is asked who has how much.
    pub not_counted: BTreeSet<String>,
    /// Whether nodes with GPUs are only offered to frameworks that can deal with them. By default, they are.
    pub keep_gpus_free: bool,
    /// The region that is not another one.
    pub region: Option<String>,
}

impl Default for AllocatorOptions {
    fn default() -> Self {
        let least = |name: &str, amount: Scalar| Quantities::from([(name.into(), amount)]);
        Self {
            seed: 0,
            min_allocatable: vec![least("cpus", Scalar::from_millis(10)), least("mem", Scalar::from_units(32))],
            least_refusal: Duration::from_secs(1),
            offer_timeout: None,
            not_counted: BTreeSet::new(),
            keep_gpus_free: true,
            region: None,
        }
    }
}
