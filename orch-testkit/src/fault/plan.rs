//! [`Fault`]: what goes wrong, where; and the enumeration of all faults of a scenario.

use std::fmt;

use super::player::Count;

/// One thing that goes wrong. Actions and reconciles are counted from 0 over all controllers of the scenario, in the
/// order in which they happen; reports to people are no actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The controller crashes right after the action, and starts with empty memory.
    Crash {
        /// After which action.
        action: usize,
    },
    /// The same, and the list that it starts from is some writes old.
    CrashAndLag {
        /// After which action.
        action: usize,
        /// How many writes the list is behind.
        lag: usize,
    },
    /// The action is performed and an error comes back.
    AnswerLost {
        /// Which action.
        action: usize,
    },
    /// The action is not performed and an error comes back.
    Refused {
        /// Which action.
        action: usize,
    },
    /// Somebody else writes to the object right before the action; for a create, to the object that is reconciled.
    Conflict {
        /// Which action.
        action: usize,
    },
    /// The action is performed a second time.
    Twice {
        /// Which action.
        action: usize,
    },
    /// The controller loses its leadership before the action. Another starts with empty memory, and the action of the
    /// old one is performed when the new one has brought the system to rest.
    Late {
        /// Which action.
        action: usize,
    },
    /// The wall clock jumps right before the action.
    ClockJump {
        /// Before which action.
        action: usize,
        /// How many seconds, forward or backward.
        seconds: i64,
    },
    /// After the reconcile, nothing more is shown to the controller until everything else has come to rest; then it
    /// looks at every key once more on that old view, as far as promise X1 allows. It sees again after that, or after
    /// eight more reconciles.
    Stale {
        /// After which reconcile.
        reconcile: usize,
        /// What is not shown: everything, or the n-th kind that it has a trigger for.
        kind: Option<usize>,
        /// Whether the user's next step happens before the view is up to date again.
        over_step: bool,
        /// Whether what was missed is shown as the difference in the end, as after a relist, or write by write.
        relist: bool,
    },
    /// The key is reconciled a second time at once.
    Repeated {
        /// Which reconcile.
        reconcile: usize,
    },
    /// No fault, but a question: after every plan that was performed the key is decided on again, on a view that has seen
    /// everything, up to an empty plan. It must come within a few, and nothing be done that was done before.
    AskedAgain,
    /// Instead of the scenario, one of its invalid objects stands in the store, past all validation. Nothing but that
    /// object may be written to.
    Invalid {
        /// Which of them.
        index: usize,
    },
    /// Every change is shown alone, and looked at before the next one is shown.
    OneByOne,
    /// Controllers, actors and deliveries take turns at random, keys in any order.
    Shuffled {
        /// The seed of the order.
        seed: u64,
    },
}

/// The classes of [`Fault`], to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// [`Fault::Crash`].
    Crash,
    /// [`Fault::CrashAndLag`].
    Lag,
    /// [`Fault::AnswerLost`] and [`Fault::Refused`].
    Error,
    /// [`Fault::Conflict`].
    Conflict,
    /// [`Fault::Twice`].
    Twice,
    /// [`Fault::Late`].
    Late,
    /// [`Fault::ClockJump`].
    Clock,
    /// [`Fault::Stale`].
    Stale,
    /// [`Fault::Repeated`], [`Fault::OneByOne`] and [`Fault::Shuffled`].
    Order,
    /// [`Fault::AskedAgain`].
    AskedAgain,
    /// [`Fault::Invalid`].
    Invalid,
    /// Two faults in one run, chosen at random from a fixed seed.
    Pairs,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Crash,
        Self::Lag,
        Self::Error,
        Self::Conflict,
        Self::Twice,
        Self::Late,
        Self::Clock,
        Self::Stale,
        Self::Order,
        Self::AskedAgain,
        Self::Invalid,
        Self::Pairs,
    ];

    /// Every fault of this class, one a plan, for a scenario that without faults has so many actions and reconciles.
    pub(super) fn faults(self, count: Count) -> Vec<Fault> {
        const SHUFFLES: u64 = 32;
        let at_actions = |faults: &dyn Fn(usize) -> Vec<Fault>| (0..count.actions).flat_map(faults).collect();
        match self {
            Self::Crash => at_actions(&|action| vec![Fault::Crash { action }]),
            Self::Lag => at_actions(&|action| [1, 2, 4, 8].map(|lag| Fault::CrashAndLag { action, lag }).to_vec()),
            Self::Error => at_actions(&|action| vec![Fault::AnswerLost { action }, Fault::Refused { action }]),
            Self::Conflict => at_actions(&|action| vec![Fault::Conflict { action }]),
            Self::Twice => at_actions(&|action| vec![Fault::Twice { action }]),
            Self::Late => at_actions(&|action| vec![Fault::Late { action }]),
            Self::Clock => {
                at_actions(&|action| [3600, -300].map(|seconds| Fault::ClockJump { action, seconds }).to_vec())
            }
            Self::Stale => (0..count.reconciles).flat_map(|reconcile| stale(reconcile, count.kinds)).collect(),
            Self::Order => {
                let repeated = (0..count.reconciles).map(|reconcile| Fault::Repeated { reconcile });
                let shuffled = (1..=SHUFFLES).map(|seed| Fault::Shuffled { seed });
                repeated.chain([Fault::OneByOne]).chain(shuffled).collect()
            }
            Self::AskedAgain => vec![Fault::AskedAgain],
            Self::Invalid => (0..count.invalid).map(|index| Fault::Invalid { index }).collect(),
            Self::Pairs => Vec::new(),
        }
    }
}

fn stale(reconcile: usize, kinds: usize) -> Vec<Fault> {
    let mut faults = Vec::new();
    for kind in std::iter::once(None).chain((0..kinds).map(Some)) {
        for over_step in [false, true] {
            faults.push(Fault::Stale { reconcile, kind, over_step, relist: false });
        }
    }
    faults.push(Fault::Stale { reconcile, kind: None, over_step: true, relist: true });
    faults
}

impl Fault {
    /// Whether it strikes at the action of this number.
    pub(super) fn is_at(self, number: usize) -> bool {
        match self {
            Self::Crash { action }
            | Self::CrashAndLag { action, .. }
            | Self::AnswerLost { action }
            | Self::Refused { action }
            | Self::Conflict { action }
            | Self::Twice { action }
            | Self::Late { action }
            | Self::ClockJump { action, .. } => action == number,
            Self::Stale { .. } | Self::Repeated { .. } | Self::OneByOne | Self::Shuffled { .. } => false,
            Self::AskedAgain | Self::Invalid { .. } => false,
        }
    }

    /// Whether the run can be compared with one without faults.
    pub(super) fn is_comparable(self) -> bool {
        !matches!(self, Self::Invalid { .. })
    }

    /// Whether single objects may differ from those of a run without faults, so that only their number for each owner
    /// is compared. A jump of the clock changes which pod is older, a shuffled order which is made first, and a
    /// controller that misses a step of the user goes another way.
    pub(super) fn blurs(self) -> bool {
        matches!(
            self,
            Self::ClockJump { .. }
                | Self::CrashAndLag { .. }
                | Self::Shuffled { .. }
                | Self::Stale { over_step: true, .. }
        )
    }

    /// Whether objects may be made and removed more often than without faults, within the bound on all writes. What a
    /// restarted controller sees of an old list was right then, so it may make again what was removed since; so may one
    /// that misses a step of the user; and in a shuffled order an object may come and go before anybody looks.
    pub(super) fn excuses_detours(self) -> bool {
        matches!(self, Self::CrashAndLag { .. } | Self::Shuffled { .. } | Self::Stale { over_step: true, .. })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
