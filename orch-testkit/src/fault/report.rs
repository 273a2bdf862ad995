//! [`Report`]: what came of an exploration.

use std::fmt;

use super::{Family, Fault};

/// What came of an exploration.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The names of the controllers in it.
    pub controllers: Vec<&'static str>,
    /// The families that were not paired with others, and why.
    pub unpaired: Vec<(Family, &'static str)>,
    /// How many plans of faults were executed, the one without faults not counted.
    pub plans_executed: usize,
    /// How many actions the run without faults has.
    pub actions: usize,
    /// How many decisions the run without faults has.
    pub reconciles: usize,
    /// What did not hold; at most [`VIOLATIONS_MAX`](super::VIOLATIONS_MAX), then the exploration ends.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Fails a test with everything that is needed to see what happened.
    ///
    /// # Panics
    /// When there is a violation.
    pub fn assert_none(&self) {
        assert!(self.violations.is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} plans of faults, over {} actions and {} reconciles",
            self.scenario, self.plans_executed, self.actions, self.reconciles
        )?;
        for violation in &self.violations {
            write!(f, "\n\n{violation}")?;
        }
        Ok(())
    }
}

/// A plan of faults after which something did not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The scenario's name.
    pub scenario: &'static str,
    /// What went wrong. Together with the scenario it replays the run: everything else follows from them.
    pub faults: Vec<Fault>,
    /// What did not hold.
    pub oracle: Oracle,
    /// How.
    pub message: String,
    /// What happened, one line each.
    pub trace: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} with {:?}: {:?}: {}", self.scenario, self.faults, self.oracle, self.message)?;
        write!(f, "  {}", self.trace.join("\n  "))
    }
}

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Oracle {
    /// In the end every object is as it is without faults, field by field but for [`MASKED`](super::MASKED).
    EndState,
    /// Every object was created and removed as often as without faults.
    Counts,
    /// At rest, another look at any key, also by a controller just started, asks for nothing.
    Settled,
    /// What a plan did that was performed and is seen is not done again, and after a few steps nothing is.
    Idempotent,
    /// The system comes to rest, after not too many writes.
    Bounded,
    /// What the scenario itself demands after every write.
    Invariant,
    /// Nothing of others was changed.
    Modest,
    /// No panic.
    Panic,
    /// The scenario itself can be played.
    Scenario,
}
