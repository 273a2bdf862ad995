//! [`Verdict`]: whether a store kept its promises, and a [`Violation`] explained to a person.

use std::fmt;

/// Whether the store kept its promises in a history.
#[derive(Clone, Debug)]
#[must_use]
pub enum Verdict {
    /// It did: there is an order of all operations that explains every answer and every watch.
    Kept(Checked),
    /// It did not.
    Violated(Box<Violation>),
    /// The search for such an order was given up: too many writes of unknown outcome left no trace of where they
    /// happened. Let somebody watch everything while the history is recorded.
    Undecided {
        /// How many orders were tried.
        tried: usize,
        /// What is wrong with the first of them.
        first: Box<Violation>,
    },
}

impl Verdict {
    /// What was checked.
    ///
    /// # Panics
    /// With the explanation, when the promises were not kept, and when that could not be decided.
    pub fn expect_kept(self) -> Checked {
        match self {
            Self::Kept(checked) => checked,
            Self::Violated(violation) => panic!("{violation}"),
            Self::Undecided { tried, first } => panic!("undecided after {tried} orders, of which the first: {first}"),
        }
    }

    /// The violation, if there is one.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        match self {
            Self::Violated(violation) => Some(violation),
            Self::Kept(_) | Self::Undecided { .. } => None,
        }
    }
}

/// How much a history that was found to be right holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Operations.
    pub operations: usize,
    /// Of these, writes that happened.
    pub writes: usize,
    /// Of these, writes of unknown outcome that turned out to have happened.
    pub recovered: usize,
    /// Writes of unknown outcome that need not have happened.
    pub unknown: usize,
    /// Watches.
    pub watches: usize,
    /// What they told.
    pub events: usize,
}

impl Checked {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            operations: self.operations + other.operations,
            writes: self.writes + other.writes,
            recovered: self.recovered + other.recovered,
            unknown: self.unknown + other.unknown,
            watches: self.watches + other.watches,
            events: self.events + other.events,
        }
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, writes, recovered, unknown, watches, events } = self;
        write!(f, "{operations} operations ({writes} writes, {recovered} of them of unknown outcome; ")?;
        write!(f, "{unknown} more of unknown outcome), {events} events of {watches} watches")
    }
}

/// A promise that was broken, explained to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise of [`Store`](orch_core::store::Store), [`Transact`](orch_core::store::Transact) or
    /// [`Compact`](orch_core::store::Compact): `R1`.
    pub promise: &'static str,
    /// What was told, and what was expected instead.
    pub words: String,
    /// The operations and watch events that show it, each with when it was invoked and answered.
    pub involved: Vec<String>,
    /// What else happened at that time.
    pub notes: Vec<String>,
    /// What repeats the recording, if anything does.
    pub seed: Option<u64>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "promise {} is broken: {}", self.promise, self.words)?;
        for line in self.involved.iter().chain(&self.notes) {
            write!(f, "\n  {line}")?;
        }
        self.seed.map_or(Ok(()), |seed| write!(f, "\n  repeat it with seed {seed}"))
    }
}
