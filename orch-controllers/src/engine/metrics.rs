//! [`EngineMetrics`]: what the engine tells about itself.

use std::fmt::Debug;
use std::time::Duration;

/// What the engine tells about itself, for whatever collects figures. Each method must return at once. By default
/// nothing is kept.
pub trait EngineMetrics: Debug + Send + Sync + 'static {
    /// A controller has dealt with a key, or failed to, in this time.
    fn reconciled(&self, controller: &'static str, result: Reconciled, duration: Duration) {
        let _ = (controller, result, duration);
    }

    /// So many keys are ready for a controller, now that one was taken.
    fn queue_depth(&self, controller: &'static str, depth: usize) {
        let _ = (controller, depth);
    }

    /// A key is looked at again after so many failures in a row.
    fn retried(&self, controller: &'static str, failures: u32) {
        let _ = (controller, failures);
    }

    /// Code of a controller panicked.
    fn panicked(&self, controller: &'static str) {
        let _ = controller;
    }

    /// An action (`create`, `update`, `delete`, `report`, `effect`) was performed, or was not.
    fn acted(&self, controller: &'static str, action: &'static str, succeeded: bool) {
        let _ = (controller, action, succeeded);
    }

    /// A controller's circuit breaker stopped its deletions, or lets them through again.
    fn breaker(&self, controller: &'static str, open: bool) {
        let _ = (controller, open);
    }
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reconciled {
    /// There was nothing to do.
    Nothing,
    /// All was done.
    Done,
    /// What the decision was made on is not so any more.
    Conflict,
    /// It failed.
    Failed,
    /// It was given up because the engine stops.
    Abandoned,
}

/// Keeps no figures.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl EngineMetrics for NoMetrics {}
