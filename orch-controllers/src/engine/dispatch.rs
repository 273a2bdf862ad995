//! [`Dispatcher`]: tells every controller what changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use orch_core::controller::Change;
use orch_core::revision::Revision;
use tokio::sync::watch;

use super::runner::Runner;
use crate::cache::{KindId, Listener};

/// Tells every controller what changed.
#[derive(Debug)]
pub(super) struct Dispatcher {
    runners: Vec<Arc<Runner>>,
    /// The kinds that were listed.
    listed: watch::Sender<BTreeSet<KindId>>,
}

impl Dispatcher {
    pub(super) fn new(runners: Vec<Arc<Runner>>) -> Self {
        Self { runners, listed: watch::Sender::default() }
    }

    pub(super) fn listed(&self) -> watch::Receiver<BTreeSet<KindId>> {
        self.listed.subscribe()
    }
}

impl Listener for Dispatcher {
    fn changed(&self, kind: KindId, change: &Change, replay: bool) {
        self.runners.iter().for_each(|runner| runner.see(kind, change, replay));
    }

    fn reached(&self, kind: KindId, revision: Revision) {
        self.runners.iter().for_each(|runner| runner.reached(kind, revision));
        self.listed.send_if_modified(|listed| listed.insert(kind));
    }
}
