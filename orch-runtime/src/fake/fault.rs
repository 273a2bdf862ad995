//! [`Operation`] and [`Fault`]: what goes wrong on demand.

use std::collections::{BTreeMap, VecDeque};

use orch_core::runtime::{ImageError, RuntimeError};

/// A method of [`Runtime`](orch_core::runtime::Runtime), [`Interactive`](orch_core::runtime::Interactive) or
/// [`Images`](orch_core::runtime::Images).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named as the method")]
pub enum Operation {
    CreateSandbox,
    Start,
    Stop,
    RemoveContainer,
    Remove,
    List,
    Status,
    Stats,
    Logs,
    Exec,
    OpenExec,
    Attach,
    PortForward,
    FindImage,
    ListImages,
    Pull,
    Import,
    RemoveImage,
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is done, and the call fails with `Unavailable`.
    Unavailable {
        /// What the error says about trying again.
        transient: bool,
    },
    /// Everything is done, but the call fails with a transient `Unavailable`.
    AnswerLost,
    /// Nothing is done and nothing returned until the fault is healed; then the call goes on.
    Hang,
}

/// What a call that goes wrong fails with.
pub(super) trait Unavailable {
    fn unavailable(message: String, transient: bool) -> Self;
}

impl Unavailable for RuntimeError {
    fn unavailable(message: String, transient: bool) -> Self {
        Self::Unavailable { message, transient, source: None }
    }
}

impl Unavailable for ImageError {
    fn unavailable(message: String, transient: bool) -> Self {
        Self::Unavailable { message, transient, source: None }
    }
}

impl Fault {
    pub(super) fn error<E: Unavailable>(self, operation: Operation) -> E {
        let message = format!("a fault was injected into {operation:?}: {self:?}");
        E::unavailable(message, !matches!(self, Self::Unavailable { transient: false }))
    }
}

/// The faults that wait for calls, and how often each operation was called.
#[derive(Debug, Default)]
pub(super) struct Faults {
    next: BTreeMap<Operation, VecDeque<Fault>>,
    every: BTreeMap<Operation, Fault>,
    calls: BTreeMap<Operation, u64>,
    heals: BTreeMap<Operation, u64>,
}

impl Faults {
    pub(super) fn push_next(&mut self, operation: Operation, fault: Fault) {
        self.next.entry(operation).or_default().push_back(fault);
    }

    pub(super) fn set_every(&mut self, operation: Operation, fault: Fault) {
        self.every.insert(operation, fault);
    }

    pub(super) fn heal(&mut self, operation: Operation) {
        self.next.remove(&operation);
        self.every.remove(&operation);
        *self.heals.entry(operation).or_default() += 1;
    }

    /// Counts a call, and tells what becomes of it.
    pub(super) fn call(&mut self, operation: Operation) -> Option<Fault> {
        *self.calls.entry(operation).or_default() += 1;
        let next = self.next.get_mut(&operation).and_then(VecDeque::pop_front);
        next.or_else(|| self.every.get(&operation).copied())
    }

    /// How often the operation was healed: a call that hangs waits for the next time.
    pub(super) fn heals(&self, operation: Operation) -> u64 {
        self.heals.get(&operation).copied().unwrap_or_default()
    }

    pub(super) fn calls(&self, operation: Operation) -> u64 {
        self.calls.get(&operation).copied().unwrap_or_default()
    }
}
